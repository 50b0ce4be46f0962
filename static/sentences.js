// An answer's sentences, drawn as they come: what runs on flows in paragraphs, rows that are next to each other make
// one table and items one list, and every sentence has its marks at its end.

import { renderMarkdown } from "./markdown.js";

export class SentencesView {
  /** `makeMark` makes the element of one of a sentence's refs; `options` are those of `renderMarkdown`. */
  constructor(container, makeMark, options) {
    this.container = container;
    this.makeMark = makeMark;
    this.options = options;
    this.drawn = new Map(); // sentence -> {text, parts, nodes, marks}
  }

  /** Draws a sentence {text, refs: [{ok, …}]}, or what changed of it. Only the last one's text may change. */
  draw(sentence) {
    let drawn = this.drawn.get(sentence);
    if (drawn?.text !== sentence.text) {
      const isGrown = Boolean(drawn);
      drawn?.nodes.forEach((node) => node.remove());
      drawn = this.place(sentence.text);
      drawn.parts.forEach((part) => part.classList.toggle("grown", isGrown));
      this.drawn.set(sentence, drawn);
    }
    const { refs } = sentence;
    const marks = refs.map(this.makeMark);
    if (marks.some((mark, at) => mark !== drawn.marks.children[at])) drawn.marks.replaceChildren(...marks);
    for (const { dataset } of refs.length ? drawn.parts : []) dataset.ok = refs.every(({ ok }) => ok);
  }

  /** `parts` are what the sentence is drawn as, `nodes` what has to go for it to be drawn again. */
  place(text) {
    const drawn = { text, parts: [], nodes: [], marks: make("span", "marks") };
    const startsParagraph = /^\s*\n\s*\n/.test(text);
    const blocks = [...renderMarkdown(text.trim(), this.options).children];
    blocks.forEach((block, number) => this.append(drawn, block, number > 0 || startsParagraph));
    drawn.parts.forEach((part) => part.classList.add("sentence"));
    const end = endOf(drawn.parts.at(-1));
    if (end) appendMarks(end, drawn.marks);
    else this.add(drawn, make("div", "after", drawn.marks));
    return drawn;
  }

  append(drawn, block, startsParagraph) {
    const before = [...this.container.children].findLast((child) => !child.matches(".card"));
    const items = block.matches("ul, ol") ? block : block.querySelector("tbody");
    const joined = items && joins(before, block);
    if (block.matches("p:not(.heading)")) this.addText(drawn, make("span", "", ...block.childNodes), startsParagraph ? null : before);
    else if (joined) drawn.nodes.push(...items.children);
    else this.add(drawn, block);
    if (!block.matches("p:not(.heading)")) drawn.parts.push(...(items ? items.children : [block]));
    if (joined) joined.append(...items.children);
  }

  addText(drawn, span, before) {
    drawn.parts.push(span);
    if (!before?.matches(".paragraph")) return this.add(drawn, make("p", "paragraph", span));
    const space = document.createTextNode(" ");
    drawn.nodes.push(space, span);
    before.append(space, span);
  }

  add(drawn, element) {
    drawn.nodes.push(element);
    this.container.append(element);
  }
}

/** What is written on a page, in one line, without marks: to be read out, or to be shortened. */
export function plainText(node) {
  const copy = node.cloneNode(true);
  copy.querySelectorAll(".marks, .card, button").forEach((control) => control.remove());
  copy.querySelectorAll("td, th").forEach((cell) => cell.append(cell.nextElementSibling ? ", " : "; "));
  copy.querySelectorAll("p, li, pre, h4, br").forEach((block) => block.after(" "));
  return copy.textContent.replace(/\s+/g, " ").replace(/[;,\s]+$/, "");
}

/** Where the items of a list, or the rows of a table, go on from one to the next; null where they don't. */
function joins(before, block) {
  if (before?.localName !== block.localName) return null;
  if (block.matches("ul")) return before;
  if (block.matches("ol")) return block.start === before.start + before.children.length ? before : null;
  const body = before.querySelector("tbody");
  if (!body) return null;
  const [head, other] = [before, block].map((box) => box.querySelector("thead"));
  const [columns, others] = [before, block].map((box) => box.querySelector("tr:last-child").cells.length);
  return columns === others && (!other || head?.isEqualNode(other)) ? body : null;
}

/** The element that a part's marks come last in; null for what has no place for them. */
function endOf(part) {
  if (!part || part.matches("pre, hr")) return null;
  const inner = part.matches("tr, li, blockquote, ul, ol") ? part.lastElementChild : null;
  return inner?.matches("td, p, ul, ol, li, blockquote") ? endOf(inner) : part;
}

/** In one piece with the last word, so that no line begins with a mark. */
function appendMarks(end, marks) {
  const text = end.lastChild;
  const [word] = /(?<=\s)\S{1,20}$/.exec(text?.data ?? "") ?? [];
  end.append(word ? make("span", "tail", text.splitText(text.length - word.length), marks) : marks);
}

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children);
  return element;
}
