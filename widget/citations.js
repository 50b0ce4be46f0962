// Citations: chips in the text, numbered by page, and the card that a chip opens: page, passage, verdict.

import { headingOf, make, titleOf } from "../static/dom.js";
import { icon } from "./icons.js";
import { pageLink, siteText } from "./parts.js";

const LINKED_WORDS = 8; // of the passage: enough to find it in the page

export class Citations {
  constructor(reading, texts) {
    this.reading = reading;
    this.texts = texts;
    this.chips = new Map(); // what is cited -> its chip: verdicts come while it has the focus, or a card
  }

  /** The cited pages, in the order that the answer cites them. */
  get pages() {
    const pages = new Map();
    for (const { chunkId } of this.reading.cited) {
      const chunk = this.reading.chunks.get(chunkId) ?? {};
      if (!pages.has(addressOf(chunk))) pages.set(addressOf(chunk), chunk);
    }
    return [...pages.values()];
  }

  chip(cited) {
    const chunk = this.reading.chunks.get(cited.chunkId) ?? {};
    const number = this.pages.findIndex((page) => addressOf(page) === addressOf(chunk)) + 1;
    const label = this.texts.say("source", { n: number, title: titleOf(chunk) });
    if (!this.chips.has(cited)) this.chips.set(cited, this.makeChip(cited, chunk, number));
    const chip = this.chips.get(cited);
    chip.ariaLabel = cited.ok === null ? label : `${label}. ${this.verdictOf(cited)}`;
    chip.classList.toggle("unsupported", cited.ok === false);
    return chip;
  }

  makeChip(cited, chunk, number) {
    const chip = make("button", { className: "chip", type: "button", ariaExpanded: "false", title: titleOf(chunk) }, String(number));
    chip.addEventListener("click", () => this.toggle(chip, cited, chunk));
    return chip;
  }

  verdictOf({ ok }) {
    return this.texts.say(ok ? "supported" : "unsupported");
  }

  toggle(chip, cited, chunk) {
    const text = chip.closest(".text");
    const open = text.querySelector(".card");
    if (open) {
      open.chip.ariaExpanded = "false";
      if (open.contains(text.getRootNode().activeElement) || open.chip === chip) open.chip.focus();
      open.remove();
      if (open.chip === chip) return;
    }
    const card = this.card(cited, chunk);
    card.chip = chip;
    chip.ariaExpanded = "true";
    let block = chip;
    while (block.parentNode !== text) block = block.parentNode;
    block.after(card);
    card.scrollIntoView({ block: "nearest" });
  }

  card(cited, chunk) {
    const quote = cited.evidence || chunk.quote || "";
    const heading = headingOf(chunk);
    const { texts } = this;
    const card = make("aside", { className: "card", lang: texts.language, dir: texts.direction });
    card.append(siteText(texts, "p", "page", titleOf(chunk)));
    if (heading) card.append(siteText(texts, "p", "where", heading));
    if (quote) card.append(siteText(texts, "blockquote", "", quote));
    if (cited.ok !== null) card.append(make("p", { className: "ruling" }, icon(cited.ok ? "check" : "warn"), this.verdictOf(cited)));
    card.append(pageLink({ url: deepLink(chunk.url, quote) }, texts.say("open_page")));
    card.ariaLabel = titleOf(chunk);
    return card;
  }
}

function addressOf(chunk) {
  return chunk.url?.split("#")[0];
}

/** The page, scrolled to the passage by browsers that can. https://wicg.github.io/scroll-to-text-fragment/ */
function deepLink(url, quote) {
  const [first] = quote.split("\n");
  const words = first.split(" ").slice(0, LINKED_WORDS).join(" ");
  if (!url || !words || /[|*`\[\]#]/.test(words)) return url;
  const fragment = encodeURIComponent(words).replaceAll("-", "%2D");
  return `${url}${url.includes("#") ? "" : "#"}:~:text=${fragment}`;
}
