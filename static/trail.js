// The Source Trail: the steps of an answer, drawn from the same events as the answer itself.

import { count, headingOf, make, makeBar, makeLink, makeMark, milliseconds, setVerdict, titleOf } from "./dom.js";
import { renderMarkdown } from "./markdown.js";
import { plainText } from "./sentences.js";

const STEPS = {
  "retrieval.started": "search",
  "retrieval.reranked": "rank",
  "generation.token": "write",
  "generation.cited": "cite",
  "nli.verified": "check",
  "stream.done": "done",
};
const BEST = 5; // passages that are shown without asking
const EXCERPT_CHARS = 160;

export class TrailView {
  constructor(element, reading) {
    this.element = element;
    this.reading = reading;
    this.steps = Object.fromEntries([...element.querySelectorAll("[data-step]")].map((step) => [step.dataset.step, step]));
    this.summary = element.querySelector(".state");
    this.verdicts = make("ul", { className: "verdicts" });
    this.rows = new Map(); // chunk id -> its row
    this.lines = new Map(); // sentence -> its line
    for (const step of Object.values(this.steps)) {
      step.dataset.state = "waiting";
      step.querySelector(".when").textContent = "";
      step.querySelector(".detail").replaceChildren();
    }
    element.classList.add("live");
    this.steps.check.querySelector(".detail").append(this.verdicts);
    this.activate("search");
    this.tick(0);
  }

  tick(elapsed) {
    this.summary.textContent = milliseconds(elapsed);
  }

  show(event, sentence, elapsed) {
    const name = STEPS[event];
    if (!name) return;
    this.steps[name].querySelector(".when").textContent = milliseconds(elapsed);
    if (event === "retrieval.started") this.tell("search", "The pages are searched by words and by meaning.");
    else if (event === "retrieval.reranked") this.rank();
    else if (event === "generation.token") this.write(sentence);
    else if (event === "generation.cited") this.cite(sentence);
    else if (event === "nli.verified") this.check(sentence);
    if (name !== "write") this.steps[name].dataset.state = "done"; // more may be written until the end
    if (name === "search") this.activate("rank");
    if (name === "rank") this.activate("write");
  }

  rank() {
    const chunks = [...this.reading.chunks.values()];
    if (!chunks.length) this.tell("rank", "No passage was found.");
    const rows = chunks.map((chunk) => this.row(chunk));
    const [best, others] = [rows.slice(0, BEST), rows.slice(BEST)];
    const detail = this.steps.rank.querySelector(".detail");
    detail.append(make("ol", { className: "passages" }, ...best));
    if (!others.length) return;
    const rest = make("ol", { className: "passages", start: BEST + 1 }, ...others);
    this.others = make("details", {}, make("summary", {}, count(others.length, "more passage")), rest);
    detail.append(this.others);
  }

  row(chunk) {
    const heading = headingOf(chunk);
    const link = makeLink(chunk);
    const title = make("span", { className: "title", title: titleOf(chunk) }, link);
    if (heading) {
      link.textContent = heading;
      title.append(make("span", { className: "where" }, ` · ${titleOf(chunk)}`));
    }
    const score = make("span", { className: "score" }, make("span", { className: "hidden" }, "score "), chunk.score.toFixed(2));
    const row = make("li", { id: `passage-${chunk.id}` }, title, make("span", { className: "cited-by" }), score, makeBar("bar-of-score", 0, chunk.score));
    row.dataset.chunk = chunk.id;
    this.rows.set(chunk.id, row);
    return row;
  }

  write(sentence) {
    if (!this.lines.has(sentence) && !this.reading.end) {
      const line = make("li", { className: "pending" });
      this.lines.set(sentence, line);
      this.verdicts.append(line);
    }
    this.lines.get(sentence)?.replaceChildren(make("span", { className: "said" }, excerpt(sentence.text)), make("span", { className: "why" }, "checking…"));
    this.tell("write", `${count(this.reading.sentences.length, "sentence")} so far; the language model may add more.`);
  }

  cite(sentence) {
    const { ref, chunkId } = sentence.refs.at(-1);
    const row = this.rows.get(chunkId);
    const mark = makeMark(ref, chunkId, `sentence ${ref}`);
    mark.href = "#answer";
    mark.setAttribute("aria-label", `Cited by sentence ${ref}`);
    row?.querySelector(".cited-by").append(mark);
    if (row) row.dataset.cited = "true";
    if (this.others?.contains(row)) this.others.open = true;
    const passages = new Set(this.reading.cited.map((cited) => cited.chunkId)).size;
    this.tell("cite", `${count(this.reading.cited.length, "citation")} of ${count(passages, "passage")}.`);
  }

  check(sentence) {
    if (sentence) this.lines.get(sentence)?.replaceWith(this.judged(sentence));
    else this.verdicts.append(this.struckOut(this.reading.withheld.at(-1)));
  }

  judged(sentence) {
    const { ref, chunkId, ok, score, isVerbatim } = sentence.refs.at(-1);
    const why = isVerbatim ? "word for word on the page" : `${ok ? "entailed" : "not entailed"} by the page`;
    const mark = makeMark(ref, chunkId, titleOf(this.reading.chunks.get(chunkId)));
    setVerdict(mark, ok);
    for (const link of this.rows.get(chunkId)?.querySelectorAll(".mark") ?? []) if (link.textContent === mark.textContent) setVerdict(link, ok);
    const said = make("span", { className: "said" }, excerpt(sentence.text));
    const line = make("li", {}, mark, said, make("span", { className: "why" }, `${why}${scored(score)}`));
    line.dataset.ok = String(ok);
    this.lines.set(sentence, line);
    return line;
  }

  struckOut({ chunkId, score }) {
    const passage = titleOf(this.reading.chunks.get(chunkId));
    const line = make(
      "li",
      {},
      make("s", { className: "said" }, "A sentence of the language model"),
      make("span", { className: "why" }, `not entailed by “${passage}”${scored(score)}: withheld, its text was not sent`),
    );
    line.dataset.ok = "false";
    return line;
  }

  finish(elapsed) {
    const { end, sentences, cited, withheld } = this.reading;
    if (end.refusal) {
      for (const line of this.lines.values()) line.remove();
      this.tell("write", "Only the refusal: the passages most likely do not answer the question.");
      this.tell("cite", "Nothing to cite.");
      this.tell("check", "Nothing to check.");
      ["write", "cite", "check"].forEach((name) => (this.steps[name].dataset.state = "skipped"));
      this.tell("done", end.reason === "not_ready" ? "Refused: no page is indexed yet." : "Refused, with the nearest pages.");
    } else {
      this.tell("write", `${count(sentences.length, "sentence")} shown, ${withheld.length || "none"} withheld.`);
      this.steps.write.dataset.state = "done";
      const { tokens_in: read = 0, tokens_out: written = 0 } = end.usage ?? {};
      const model = read || written ? `The language model read ${count(read, "token")} and wrote ${written}.` : "No language model at work: the answer is quotes, or the question was asked before.";
      this.tell("done", `Answered. ${model}`);
    }
    this.steps.done.dataset.state = end.refusal ? "refused" : "done";
    const outcome = end.refusal ? "refused" : `${cited.length} of ${sentences.length} checked`;
    this.summary.textContent = `${outcome}, ${milliseconds(elapsed)}`;
  }

  /** The answer broke off. */
  breakOff(state, elapsed) {
    for (const step of Object.values(this.steps)) {
      if (step.dataset.state === "active") step.dataset.state = "failed";
    }
    const { length } = this.reading.sentences;
    if (length) this.tell("write", `${count(length, "sentence")} shown until then.`);
    this.tell("done", `${state}.`);
    this.steps.done.dataset.state = "failed";
    this.summary.textContent = `${state}, ${milliseconds(elapsed)}`;
  }

  /** One sentence about all of it, to be read out. */
  get spoken() {
    const { chunks, cited, withheld, end } = this.reading;
    if (end.refusal) return `${count(chunks.size, "passage")} ranked, none answers the question.`;
    const supported = cited.filter((one) => one.ok).length;
    return `${count(chunks.size, "passage")} ranked, ${supported} of ${count(cited.length, "sentence")} supported, ${withheld.length} withheld.`;
  }

  activate(name) {
    if (this.steps[name].dataset.state === "waiting") this.steps[name].dataset.state = "active";
  }

  tell(name, text) {
    const detail = this.steps[name].querySelector(".detail");
    const told = detail.querySelector(".told") ?? make("p", { className: "told" });
    told.textContent = text;
    if (!told.isConnected) detail.prepend(told);
  }
}

function excerpt(text) {
  const line = plainText(renderMarkdown(text));
  return line.length > EXCERPT_CHARS ? `${line.slice(0, EXCERPT_CHARS - 1).trimEnd()}…` : line;
}

function scored(score) {
  return typeof score === "number" ? `, ${score.toFixed(2)}` : "";
}
