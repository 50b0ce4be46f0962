// Small helpers for building pages. Text only ever enters as text nodes.

export function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export function makeLink(page) {
  return make("a", { href: safeUrl(page?.url) }, titleOf(page));
}

export function titleOf(page) {
  return page?.title || page?.url || "Source";
}

/** The last heading that a passage stands under; "" where that says no more than its title. */
export function headingOf(chunk) {
  const heading = String(chunk?.heading ?? "").split(" > ").at(-1);
  return heading && heading !== chunk.title ? heading : "";
}

/** A citation's number, as a link to its passage in the trail. */
export function makeMark(ref, chunkId, title) {
  const mark = make("a", { className: "mark", href: `#passage-${chunkId}`, title }, String(ref));
  mark.dataset.chunk = chunkId;
  mark.setAttribute("aria-label", `Citation ${ref}: ${title}`);
  return mark;
}

export function setVerdict(mark, ok) {
  mark.dataset.ok = String(ok);
  mark.setAttribute("aria-label", `${mark.getAttribute("aria-label")}, ${ok ? "supported" : "not supported"}`);
}

export function count(number, one, many = `${one}s`) {
  return `${number} ${number === 1 ? one : many}`;
}

export function milliseconds(elapsed) {
  return `${Math.round(elapsed).toLocaleString("en")} ms`;
}

export function isCalm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

function safeUrl(url) {
  if (!url || !URL.canParse(url, location.href)) return "#";
  const parsed = new URL(url, location.href);
  return ["http:", "https:"].includes(parsed.protocol) ? parsed.href : "#";
}
