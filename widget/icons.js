// Icons, drawn as SVG nodes; strokes have the text's colour.

const SVG = "http://www.w3.org/2000/svg";
const PATHS = {
  chat: "M4 5h16v11H10l-5 4v-4H4z M8 9h8 M8 12h5",
  close: "M6 6l12 12 M18 6L6 18",
  send: "M12 20V5 M5 12l7-7 7 7",
  stop: "M6 6h12v12H6z",
  new: "M12 5v14 M5 12h14",
  check: "M4 12.5l5 5L20 6.5",
  warn: "M12 4L2.5 20h19z M12 10v4 M12 17v.3",
  copy: "M9 9h10v11H9z M15 9V4H5v11h4",
  retry: "M19 12a7 7 0 1 1-2-5 M19 3v4.5h-4.5",
  up: "M7 11v9H4v-9z M7 11l4-7c2 0 2.5 1.5 2 3l-1 3h6.5c1.2 0 2 1 1.7 2.2l-1.5 6c-.3 1.1-1 1.800-2.2 1.800H7",
  down: "M17 13V4h3v9z M17 13l-4 7c-2 0-2.5-1.5-2-3l1-3H5.5c-1.2 0-2-1-1.7-2.2l1.5-6C5.600 4.7 6.300 4 7.5 4H17",
};

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
