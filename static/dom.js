// Small helpers for building pages. Text only ever enters as text nodes.

const LEAST_BAR = 0.4; // percent of its track: what takes next to no time is seen, too

export function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** A page's title, as a link where its address is one of the web. */
export function makeLink(page) {
  const href = webAddress(page?.url);
  return href ? make("a", { href }, titleOf(page)) : make("span", {}, titleOf(page));
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

/** A part of a whole, both from 0 to 1, drawn; it also stands beside as a number. */
export function makeBar(className, start, length) {
  const bar = makeSvg("svg", { class: className, viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" });
  bar.append(
    makeSvg("rect", { class: "track", width: 100, height: 4 }),
    makeSvg("rect", { class: "fill", x: 100 * start, width: Math.max(100 * length, LEAST_BAR), height: 4 }),
  );
  return bar;
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

function makeSvg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** null for what is none. */
function webAddress(url) {
  const parsed = url && URL.canParse(url, location.href) ? new URL(url, location.href) : null;
  return ["http:", "https:"].includes(parsed?.protocol) ? parsed.href : null;
}
