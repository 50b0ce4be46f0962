// The threads between the answer's citations and their passages in the trail. Pointing at either end, or focusing it,
// makes both stand out.

const SVG = "http://www.w3.org/2000/svg";

export class Threads {
  constructor(stage) {
    this.stage = stage;
    this.svg = stage.querySelector(".threads");
    this.answer = stage.querySelector(".answer");
    this.trail = stage.querySelector(".trail");
    this.paths = new Map(); // a citation's number -> its thread
    new ResizeObserver(() => this.draw()).observe(stage);
    this.trail.addEventListener("toggle", () => this.draw());
    for (const event of ["pointerover", "focusin"]) {
      stage.addEventListener(event, (happened) => this.follow(happened.target.closest("[data-chunk]")));
    }
    stage.addEventListener("pointerleave", () => this.follow(document.activeElement?.closest?.("[data-chunk]")));
    stage.addEventListener("click", (event) => this.jump(event));
  }

  /** From one end of a thread to the other, with the keyboard's focus. */
  jump(event) {
    const mark = event.target.closest(".mark[data-chunk]");
    if (!mark) return;
    event.preventDefault();
    this.trail.open = true;
    const isInPassages = Boolean(mark.closest(".passages"));
    const other = isInPassages ? this.markOf(mark) : this.rowOf(mark.dataset.chunk)?.querySelector("a");
    other?.focus({ preventScroll: true });
    other?.scrollIntoView({ block: "nearest" });
    this.follow(mark);
  }

  follow(end) {
    const chunk = end?.dataset.chunk ?? "";
    for (const element of this.stage.querySelectorAll("[data-chunk]")) {
      element.classList.toggle("followed", element.dataset.chunk === chunk);
    }
  }

  draw() {
    const box = this.svg.getBoundingClientRect();
    const right = this.answer.getBoundingClientRect().right - box.left;
    const left = this.trail.getBoundingClientRect().left - box.left;
    const isBeside = box.width > 0 && this.trail.open;
    const marks = new Map(isBeside ? [...this.answer.querySelectorAll(".mark")].map((mark) => [mark.textContent, mark]) : []);
    for (const [ref, path] of this.paths) {
      if (marks.has(ref)) continue;
      path.remove();
      this.paths.delete(ref);
    }
    for (const [ref, mark] of marks) {
      const row = this.rowOf(mark.dataset.chunk);
      if (row) this.thread(ref, mark).setAttribute("d", curve(right, middle(mark) - box.top, left, middle(row) - box.top));
    }
  }

  /** The path of a citation: the one that is there, so that it is drawn in only once. */
  thread(ref, mark) {
    const path = this.paths.get(ref) ?? document.createElementNS(SVG, "path");
    path.setAttribute("pathLength", "1");
    path.dataset.chunk = mark.dataset.chunk;
    path.dataset.ok = mark.dataset.ok ?? "";
    if (!path.isConnected) this.svg.append(path);
    this.paths.set(ref, path);
    return path;
  }

  rowOf(chunk) {
    return [...this.trail.querySelectorAll(".passages li")].find((row) => row.dataset.chunk === chunk);
  }

  markOf(mark) {
    return [...this.answer.querySelectorAll(".mark")].find((other) => other.textContent === mark.textContent);
  }
}

/** From the answer's edge to the trail's, level at both ends. */
function curve(right, from, left, to) {
  const half = (right + left) / 2;
  return `M${right} ${from} C${half} ${from} ${half} ${to} ${left + 10} ${to}`;
}

function middle(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return (top + bottom) / 2;
}
