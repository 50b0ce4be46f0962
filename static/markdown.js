// Markdown, as answers are written in it, as DOM nodes. Text only ever enters as text nodes, raw HTML included; only
// addresses of https and mailto become links. Unfinished Markdown is drawn as far as it goes: an answer comes in pieces.
//
// The text of pages is not escaped, so emphasis has to stand at the edges of words: `2*3*4`, `count(*)` and `__init__`
// stay as they are, and `__` never is a mark. Every line and every character is looked at a bounded number of times, whatever the text.

const MAX_DEPTH = 8; // of lists and quotes in each other, and of marks in each other
const FENCE = /^ {0,3}(```+|~~~+)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6}) +(.*)/;
const RULE = /^ {0,3}([-*_])( *\1){2,} *$/;
const QUOTED = /^ {0,3}> ?/;
const ITEM = /^( *)([-*+]|(\d{1,9})[.)])(?: +|$)/;
const ROW = /^ {0,3}\| /;
const INLINE =
  /\\([*_`[\]])|``([^`]+(?:`[^`]+)*)``|`([^`]+)`|<((?:https:\/\/|mailto:)[^\s<>]+)>|(https:\/\/[^\s<>()[\]"`|*\\]*[\w/#=&+~-])|[\\ ]?(\n)|(!?\[)|\](?:\(\s?<?([^\s()<>]*(?:\([^\s()<>]*\)[^\s()<>]*)*)>?(?:\s"[^"]*")?\))?|\*+|_+/g;

/**
 * The nodes of a text. `headingTag`: of what headings become, paragraphs of class "heading" by default. `onCode` gets
 * every `<pre>`, already in its place, to add a button to.
 */
export function renderMarkdown(text, { headingTag = "p", onCode } = {}) {
  const root = document.createDocumentFragment();
  drawBlocks(root, text.replace(/\r\n?/g, "\n").split("\n"), { headingTag }, 0);
  if (onCode) root.querySelectorAll("pre").forEach(onCode);
  return root;
}

function drawBlocks(parent, lines, options, depth, isTight) {
  for (let at = 0; at < lines.length; ) {
    const line = lines[at];
    const fence = FENCE.exec(line)?.[1];
    const heading = HEADING.exec(line);
    const item = ITEM.exec(line);
    let end = at + 1;
    if (!line.trim()) {
      at = end;
      continue;
    }
    if (fence) {
      while (end < lines.length && !isClosing(lines[end], fence)) end += 1;
      drawCode(parent, lines.slice(at + 1, end).join("\n"));
      end += 1;
    } else if (heading) {
      const drawn = add(parent, options.headingTag, heading[2]);
      if (options.headingTag === "p") drawn.className = "heading";
    } else if (RULE.test(line)) add(parent, "hr");
    else if (depth < MAX_DEPTH && QUOTED.test(line)) {
      while (end < lines.length && QUOTED.test(lines[end])) end += 1;
      const inner = lines.slice(at, end).map((quoted) => quoted.replace(QUOTED, ""));
      drawBlocks(add(parent, "blockquote"), inner, options, depth + 1);
    } else if (depth < MAX_DEPTH && item) end = drawList(parent, lines, at, item, options, depth);
    else if (isTable(lines, at)) {
      while (end < lines.length && lines[end].includes("|")) end += 1;
      drawTable(parent, lines.slice(at, end));
    } else {
      while (end < lines.length && !isBlockStart(lines, end, depth)) end += 1;
      const text = lines.slice(at, end).join("\n").trim();
      if (isTight) drawInline(parent, text);
      else add(parent, "p", text);
    }
    at = end;
  }
}

function isClosing(line, fence) {
  const trimmed = line.trim();
  return trimmed.startsWith(fence) && !trimmed.replaceAll(fence[0], "");
}

function isBlockStart(lines, at, depth) {
  const line = lines[at];
  const isNested = depth < MAX_DEPTH && (QUOTED.test(line) || ITEM.test(line));
  return !line.trim() || isNested || FENCE.test(line) || HEADING.test(line) || RULE.test(line) || isTable(lines, at);
}

function drawCode(parent, text) {
  const pre = add(parent, "pre");
  pre.tabIndex = 0;
  add(pre, "code").append(text);
}

/** Draws the list that begins at a line; returns the line after it. */
function drawList(parent, lines, at, first, options, depth) {
  const isOrdered = Boolean(first[3]);
  const list = add(parent, isOrdered ? "ol" : "ul");
  if (isOrdered && first[3] !== "1") list.start = Number(first[3]);
  for (let item = first; item && Boolean(item[3]) === isOrdered; item = at < lines.length && ITEM.exec(lines[at])) {
    const indent = first[1].length + 2; // of what belongs to the item
    const inner = [lines[at].slice(item[0].length)];
    for (at += 1; at < lines.length; at += 1) {
      const line = lines[at];
      const isInner = line.search(/\S/) >= indent;
      if (!isInner && (!line.trim() ? !lines[at + 1]?.startsWith("  ") : isBlockStart(lines, at, depth))) break;
      inner.push(isInner ? line.slice(indent) : line);
    }
    drawBlocks(add(list, "li"), inner, options, depth + 1, !inner.some((line) => !line.trim()));
    if (at < lines.length && !lines[at].trim() && ITEM.test(lines[at + 1] ?? "")) at += 1;
  }
  return at;
}

function isTable(lines, at) {
  return (ROW.test(lines[at]) && lines[at].trim().length > 2) || (lines[at].includes("|") && isRuler(lines[at + 1]));
}

function isRuler(line) {
  return Boolean(line?.includes("|")) && cellsOf(line).every((cell) => /^:?-+:?$/.test(cell));
}

function cellsOf(line) {
  const cells = line.trim().split(/(?<!\\)\|/);
  if (!cells[0]) cells.shift();
  if (!cells.at(-1)) cells.pop();
  return cells.map((cell) => cell.trim().replaceAll("\\|", "|"));
}

/** A table in a box that scrolls, which the keyboard reaches. One without a ruler or without names in it has no head. */
function drawTable(parent, lines) {
  const box = add(parent, "div");
  box.className = "table-box";
  box.tabIndex = 0;
  const table = add(box, "table");
  const hasHead = isRuler(lines[1]);
  if (hasHead && cellsOf(lines[0]).some(Boolean)) drawRow(add(table, "thead"), lines[0], "th");
  const body = add(table, "tbody");
  for (const line of lines.slice(hasHead ? 2 : 0)) if (!isRuler(line)) drawRow(body, line, "td");
}

function drawRow(parent, line, tag) {
  const row = add(parent, "tr");
  for (const text of cellsOf(line)) {
    const cell = add(row, tag, text);
    if (tag === "th") cell.scope = "col";
  }
}

/** Appends the nodes of a text without blocks. Marks without their other half stay as they were written. */
export function drawInline(parent, text) {
  const open = []; // {mark, node}, the outermost first
  let from = 0; // of the text that is not drawn yet
  const put = (node) => node && (open.at(-1)?.node ?? parent).append(node);
  const begin = (mark) => open.push({ mark, node: document.createDocumentFragment() });
  const isInLink = () => open.some(({ mark }) => mark === "[");
  const close = (place, wrap) => {
    while (open.length > place) {
      const { mark, node } = open.pop();
      const isWrapped = open.length === place && wrap;
      if (!isWrapped) put(mark);
      put(isWrapped ? wrap(node) : node);
    }
  };
  for (const found of text.matchAll(INLINE)) {
    const [all, escaped, code2, code1, angled, bare, lineEnd, bracket, target] = found;
    const code = code2 ?? code1;
    const address = angled ?? bare;
    const end = found.index + all.length;
    const draw = () => {
      put(text.slice(from, found.index));
      from = end;
    };
    if (escaped || lineEnd || code || address) {
      draw();
      if (lineEnd) put(wrapIn("br"));
      else if (code) put(wrapIn("code", code));
      else put(escaped ?? (isInLink() ? address : linkTo(address, address)));
    } else if (bracket) {
      if (open.length === MAX_DEPTH) continue;
      draw();
      begin(bracket);
    } else if (all[0] === "]") {
      const place = open.findLastIndex(({ mark }) => mark.endsWith("["));
      if (place < 0) continue;
      const isLink = target !== undefined && open[place].mark === "[";
      draw();
      close(place, target === undefined ? null : (node) => (isLink && !isInLink() ? linkTo(target, node) : node));
      if (target === undefined) put(all);
    } else if (!all.startsWith("__")) emphasize(all, text[found.index - 1] ?? " ", text[end] ?? " ", draw);
  }
  put(text.slice(from));
  close(0);

  function emphasize(run, before, after, draw) {
    const canClose = /[^\s([{]/.test(before) && !/\w/.test(after) && open.some(({ mark }) => mark[0] === run[0]);
    const canOpen = !/\w/.test(before) && /[^\s.,;:!?)\]}|/]/.test(after) && run.length < 4 && open.length < MAX_DEPTH;
    if (!canClose && !canOpen) return;
    draw();
    let left = run.length;
    while (canClose && left) {
      const place = open.findLastIndex(({ mark }) => mark[0] === run[0] || mark.endsWith("["));
      const { mark } = open[place] ?? { mark: "" };
      if (mark[0] !== run[0] || mark.length > left) break;
      left -= mark.length;
      close(place, (node) => wrapIn(mark.length > 1 ? "strong" : "em", node));
    }
    for (let size; canOpen && left && open.length < MAX_DEPTH; left -= size) {
      size = Math.min(left, 2);
      begin(run.slice(0, size));
    }
    put(run.slice(0, left));
  }
}

function linkTo(href, content) {
  if (!/^(https:\/\/|mailto:)/i.test(href)) return content;
  const link = wrapIn("a", content);
  return Object.assign(link, { href, rel: "noopener nofollow noreferrer", target: "_blank" });
}

function wrapIn(tag, content = "") {
  const element = document.createElement(tag);
  element.append(content);
  return element;
}

function add(parent, tag, text = "") {
  const element = document.createElement(tag);
  parent.append(element);
  drawInline(element, text);
  return element;
}
