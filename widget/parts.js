// Small parts that several views have.

import { make } from "../static/dom.js";
import { icon } from "./icons.js";

const COPIED_MS = 2000;
const LINKED = ["http:", "https:", "mailto:"];

/** A link that opens beside the page; text alone where the address is none of the web. */
export function pageLink({ url }, ...children) {
  const target = url && URL.canParse(url) ? new URL(url) : null;
  if (!LINKED.includes(target?.protocol)) return make("span", {}, ...children);
  return make("a", { href: target.href, target: "_blank", rel: "noopener noreferrer" }, ...children);
}

/** A text of the site, which is not in the widget's language. */
export function siteText(texts, tag, className, ...children) {
  return make(tag, { className, lang: texts.pageLanguage, dir: "auto" }, ...children);
}

/** `text()` is what it copies; `announce` tells that it did. */
export function copyButton(texts, text, announce) {
  const label = make("span", {}, texts.say("copy"));
  const button = make("button", { className: "small copy", type: "button" }, icon("copy"), label);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
    } catch {
      return; // the page may not, or the visitor said no: what was to be copied is there to be selected
    }
    label.textContent = texts.say("copied");
    announce(label.textContent);
    setTimeout(() => (label.textContent = texts.say("copy")), COPIED_MS);
  });
  return button;
}
