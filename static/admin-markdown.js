// Draws the Markdown that pages have as text: whole, or `data-markdown="plain"` its words alone.

import { renderMarkdown } from "./markdown.js";
import { plainText } from "./sentences.js";

function draw(root) {
  for (const element of root.querySelectorAll("[data-markdown]")) {
    const nodes = renderMarkdown(element.textContent);
    element.replaceChildren(element.dataset.markdown === "plain" ? plainText(nodes) : nodes);
    element.removeAttribute("data-markdown");
  }
}

draw(document);
document.addEventListener("htmx:afterSettle", () => draw(document)); // lists come in again when they are filtered
