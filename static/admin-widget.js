// The page of a key's widget. Its preview is the real widget; what it asks, the playground answers: as this user, from
// the key's sources, unbilled, and nothing of it is kept.

import "./widget-look.js";

const chooser = document.querySelector("form[data-choose]");
const texts = document.querySelector("form[data-texts]");
const key = JSON.parse(document.getElementById("preview").dataset.of); // {id, sources, mode, widget}
const { fetch } = window;

chooser.addEventListener("change", ({ target }) => {
  if (target.name === "key") chooser.elements.source.value = "";
  chooser.requestSubmit();
});

// A new element asks anew what it shows besides answers.
texts?.addEventListener("change", () => {
  const widget = document.querySelector("#preview flowchat-widget");
  widget.replaceWith(widget.cloneNode());
});

window.fetch = async (address, options) => {
  if (options?.headers?.["X-FlowChat-Key"] !== key.id) return fetch(address, options);
  return new URL(address).pathname === "/v1/chat" ? ask(options) : Response.json(texts ? entered() : key.widget);
};

async function ask({ body, signal }) {
  const { query, locale, source } = JSON.parse(body);
  const own = key.sources.length ? key.sources : undefined; // none: all of them
  const response = await fetch("/admin/playground/ask", {
    method: "POST",
    headers: {
      ...JSON.parse(document.body.getAttribute("hx-headers")),
      "Accept": "text/event-stream",
      "Content-Type": "application/json",
      "HX-Request": "true",
    },
    body: JSON.stringify({ query, locale, mode: key.mode, source: source ?? own }),
    signal,
  });
  if (response.headers.has("HX-Redirect")) location.assign(response.headers.get("HX-Redirect"));
  return response;
}

/** What the form says, saved or not. */
function entered() {
  const lines = (name) => texts.elements[name].value.split("\n").map((line) => line.trim()).filter(Boolean);
  const unescaped = (text) => text.trim().replace(/\\(.)/g, (_, letter) => (letter === "n" ? "\n" : letter));
  const named = lines("texts").map((line) => /^([^=]*)=(.*)$/.exec(line)).filter(Boolean);
  return {
    starter_questions: lines("starter_questions"),
    contact_url: texts.elements.contact_url.value.trim() || null,
    texts: Object.fromEntries(named.map(([, name, text]) => [name.trim(), unescaped(text)])),
  };
}
