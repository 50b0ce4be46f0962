// One question with its answer, built from the events of the chat stream. Text only ever enters as text nodes.

const STATES = {
  "retrieval.started": "Searching the documentation…",
  "retrieval.reranked": "Writing, and checking each sentence…",
};

export class AnswerView {
  constructor(question, announcer) {
    this.announcer = announcer;
    this.isDone = false;
    this.chunks = new Map();
    this.marks = new Map();
    this.refsOf = new Map();
    this.withheld = 0;
    this.state = make("p", { className: "state" }, "Asking…");
    this.text = make("p", { className: "text" });
    this.element = make("article", { className: "answer" }, make("h2", {}, question), this.state, this.text);
    this.element.setAttribute("aria-busy", "true");
  }

  show(event, data) {
    if (STATES[event]) this.state.textContent = STATES[event];
    if (event === "retrieval.reranked") data.chunks.forEach((chunk) => this.chunks.set(chunk.id, chunk));
    else if (event === "generation.token") this.text.append(data.text);
    else if (event === "generation.cited") this.cite(data);
    else if (event === "nli.verified") this.verify(data);
    else if (event === "error") this.failed(data.message);
    else if (event === "stream.done" && !this.isDone) this.done(data);
  }

  cite({ ref, chunkId }) {
    const mark = makeMark(ref, this.chunks.get(chunkId));
    mark.dataset.chunk = chunkId;
    this.text.append(mark);
    this.marks.set(ref, mark);
    this.refsOf.set(chunkId, [...(this.refsOf.get(chunkId) ?? []), ref]);
  }

  verify({ ref, ok, evidence }) {
    const mark = this.marks.get(ref);
    if (!mark) {
      this.withheld += 1; // a sentence that is not shown
      return;
    }
    setVerdict(mark, ok);
    if (ok && evidence) this.chunks.get(mark.dataset.chunk).quote = evidence;
  }

  done({ refusal, suggestions }) {
    if (refusal) this.end("refused", "No answer in the documentation");
    else this.end("answered", verdict([...this.marks.values()]));
    if (refusal && suggestions?.length) this.addSuggestions(suggestions);
    if (!refusal) this.addSources();
    this.addWithheld();
    this.addConsidered();
    this.announcer.textContent = (refusal ? "" : "Answer: ") + spoken(this.text);
  }

  failed(message) {
    this.end("failed", "No answer");
    this.element.append(make("p", { className: "failure" }, message));
    this.announcer.textContent = message;
  }

  stopped() {
    this.end("stopped", "Stopped");
    this.announcer.textContent = "Stopped.";
  }

  end(outcome, state) {
    this.isDone = true;
    this.element.setAttribute("aria-busy", "false");
    this.element.dataset.outcome = outcome;
    this.state.textContent = state;
  }

  addSources() {
    const items = [...this.refsOf].map(([id, refs]) => this.makeSource(this.chunks.get(id), refs));
    if (items.length) this.element.append(make("h3", {}, "Sources"), make("ol", { className: "sources" }, ...items));
  }

  makeSource(chunk, refs) {
    const marks = make("span", {}, ...refs.map((ref) => this.marks.get(ref).cloneNode(true)));
    const title = make("span", {}, makeLink(chunk));
    const heading = headingOf(chunk);
    if (heading) title.append(make("span", { className: "where" }, ` › ${heading}`));
    const item = make("li", {}, marks, title);
    if (chunk.quote) item.append(make("q", {}, chunk.quote));
    return item;
  }

  addWithheld() {
    if (!this.withheld) return;
    const [what, its] = this.withheld === 1 ? ["One sentence was", "its source doesn’t"] : [`${this.withheld} sentences were`, "the sources don’t"];
    this.element.append(make("p", { className: "withheld" }, `${what} held back: ${its} support what it said.`));
  }

  addConsidered() {
    const rest = [...this.chunks.values()].filter((chunk) => !this.refsOf.has(chunk.id));
    if (!rest.length) return;
    const items = rest.map((chunk) => {
      const meter = make("meter", { min: 0, max: 1, value: chunk.score, title: `relevance ${chunk.score.toFixed(2)}` });
      meter.setAttribute("aria-label", "relevance");
      const place = make("span", {}, makeLink(chunk));
      const heading = headingOf(chunk);
      if (heading) place.append(` › ${heading}`);
      return make("li", {}, place, meter);
    });
    const summary = make("summary", {}, `${rest.length} other ${rest.length === 1 ? "passage" : "passages"} considered`);
    this.element.append(make("details", { className: "considered" }, summary, make("ol", {}, ...items)));
  }

  addSuggestions(suggestions) {
    const items = suggestions.map((page) => make("li", {}, makeLink(page)));
    this.element.append(make("h3", {}, "Pages that come closest"), make("ul", { className: "suggestions" }, ...items));
  }
}

function verdict(marks) {
  const unsupported = marks.filter((mark) => mark.dataset.ok !== "true").length;
  if (unsupported) return `${unsupported} of ${marks.length} sentences not supported by a source`;
  return marks.length === 1 ? "Supported by its source" : `${marks.length} citations, each checked against its source`;
}

function makeMark(ref, chunk) {
  const mark = make("a", { className: "mark", href: safeUrl(chunk?.url), title: titleOf(chunk) }, String(ref));
  mark.setAttribute("aria-label", `Source ${ref}: ${titleOf(chunk)}`);
  return mark;
}

function setVerdict(mark, ok) {
  mark.dataset.ok = String(ok);
  mark.setAttribute("aria-label", `${mark.getAttribute("aria-label")}, ${ok ? "supported" : "not supported"}`);
}

function makeLink(page) {
  return make("a", { href: safeUrl(page?.url) }, titleOf(page));
}

function titleOf(page) {
  return page?.title || page?.url || "Source";
}

function headingOf(chunk) {
  const heading = Array.isArray(chunk?.heading) ? chunk.heading.at(-1) : chunk?.heading;
  return heading && heading !== chunk.title ? heading : "";
}

function safeUrl(url) {
  if (!url || !URL.canParse(url, location.href)) return "#";
  const parsed = new URL(url, location.href);
  return ["http:", "https:"].includes(parsed.protocol) ? parsed.href : "#";
}

function spoken(element) {
  const copy = element.cloneNode(true);
  copy.querySelectorAll(".mark").forEach((mark) => mark.remove());
  return copy.textContent;
}

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
