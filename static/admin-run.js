// One answer of the playground with its trace. Text only ever enters as text nodes.

import { make, makeBar, makeLink, milliseconds } from "./dom.js";
import { renderMarkdown } from "./markdown.js";
import { Reading } from "./reading.js";
import { plainText, SentencesView } from "./sentences.js";

const STATES = {
  "retrieval.started": "Searching…",
  "retrieval.reranked": "Passages found. Deciding whether they answer the question…",
  "generation.token": "Writing, and checking each sentence…",
};
const OUTCOMES = {
  quoted: ["word for word", "good"],
  supported: ["supported", "good"],
  not_supported: ["not supported", "bad"],
  unfinished: ["cut off, dropped", ""],
  repeats_prompt: ["repeats the prompt, dropped", ""],
  said_already: ["said already, dropped", ""],
};
const STEPS = {
  retrieved: "Search by words and vectors",
  reranked: "Reranking",
  weighed: "Sentences read, decision",
  prompted: "Waiting for the language model",
  first_text: "To the first text",
  done: "Rest of the answer",
};
const REASONS = { not_covered: "the pages don't answer it", not_ready: "nothing is indexed yet" };
const BEST = 5; // passages that are shown without asking
let made = 0;

export class RunView {
  constructor(title) {
    this.id = `run-${(made += 1)}`;
    this.element = document.getElementById("run").content.firstElementChild.cloneNode(true);
    this.isDone = false;
    this.reading = new Reading();
    this.sentences = new SentencesView(this.part("answer"), (cited) => this.mark(cited));
    this.trace = null;
    const heading = this.element.querySelector("h2");
    heading.textContent = title;
    heading.id = this.id;
    this.element.setAttribute("aria-labelledby", this.id);
    this.say("Waiting…");
  }

  begin() {
    this.say("Asking…");
  }

  show(event, data) {
    if (STATES[event]) this.say(STATES[event]);
    const sentence = this.reading.take(event, data);
    if (sentence) this.sentences.draw(sentence);
    if (event === "playground.trace") this.trace = data;
    else if (event === "error") this.fail(data.message);
    else if (event === "stream.done" && !this.isDone) this.finish(data);
  }

  mark({ ref, chunkId, ok }) {
    const mark = make("a", { className: "mark", href: `#${this.id}-${chunkId}`, title: `Passage of citation ${ref}` }, String(ref));
    if (ok !== null) mark.dataset.ok = ok;
    return mark;
  }

  finish({ refusal, reason, suggestions, usage }) {
    this.end(refusal ? "refused" : "answered", refusal ? `Refused: ${REASONS[reason] ?? reason}` : "Answered");
    if (refusal && suggestions.length) {
      const pages = suggestions.map((page) => make("li", {}, makeLink(page)));
      this.part("answer").append(make("ul", { className: "suggestions" }, ...pages));
    }
    this.drawTrace(usage);
  }

  fail(message) {
    this.end("failed", message);
  }

  end(outcome, text) {
    this.isDone = true;
    this.element.dataset.outcome = outcome;
    this.element.setAttribute("aria-busy", "false");
    this.say(text);
  }

  /** To be read out. */
  get spoken() {
    return `${this.part("state").textContent}. ${plainText(this.part("answer"))}`;
  }

  drawTrace(usage) {
    const { settings, curated, is_reduced } = this.trace;
    const mode = settings.mode === "gate" ? "Holds back" : "Marks";
    const quotes = settings.lead_quotes === 1 ? "1 lead quote" : `${settings.lead_quotes} lead quotes`;
    this.part("settings").textContent = `${mode} what has no support, ${quotes}, refuses below ${settings.refuse_below}, supported from ${settings.verify_threshold}`;
    if (curated) this.say(`Answered by the curated answer “${curated.title}”`);
    else if (is_reduced) this.say(`${this.part("state").textContent}. The machine was busy: another time it may say more.`);
    this.drawFacts(usage);
    this.drawSentences();
    this.drawCandidates();
    this.drawTimings();
    this.drawSpans();
    this.drawPrompt();
  }

  drawFacts(usage) {
    const { certainty, settings, timings, query } = this.trace;
    const at = Object.fromEntries(timings.map(({ step, ms }) => [step, ms]));
    const facts = [["First text", "first_text" in at ? milliseconds(at.first_text) : "none"], ["Whole answer", milliseconds(at.done)]];
    if (certainty !== null) facts.push(["Certainty", `${certainty.toFixed(2)} ${certainty < settings.refuse_below ? "<" : "≥"} ${settings.refuse_below}`]);
    facts.push(["Tokens read, written", `${usage.tokens_in}, ${usage.tokens_out}`]);
    if (query.trim() !== document.getElementById("query").value.trim()) facts.push(["Understood as", query]);
    this.part("facts").append(...facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
  }

  drawSentences() {
    const items = this.trace.sentences.map((sentence) => {
      const [label, tone] = OUTCOMES[sentence.outcome];
      const isShown = sentence.ok || (sentence.ok === false && this.trace.settings.mode === "annotate");
      const withheld = sentence.ok === false && !isShown ? `${label}, held back` : label;
      const head = make("p", { className: "verdict" }, make("span", { className: `badge ${tone}` }, withheld));
      if (sentence.score !== null && sentence.outcome !== "quoted") head.append(make("span", { className: "score" }, sentence.score.toFixed(2)));
      if (sentence.ref !== null && isShown) head.prepend(make("span", { className: "ref" }, sentence.ref));
      const text = make(isShown ? "div" : "s", { className: "said markdown" }, isShown ? renderMarkdown(sentence.text) : sentence.text);
      const item = make("li", {}, head, text);
      if (sentence.evidence && sentence.outcome !== "quoted") item.append(make("div", { className: "evidence markdown" }, "judged by ", renderMarkdown(sentence.evidence)));
      else if (sentence.ok === false && sentence.score === 0) item.append(make("p", { className: "evidence" }, "A rule forbids it: a number, name, unit or negation that the page doesn't have."));
      return item;
    });
    this.fill("sentences", items);
  }

  drawCandidates() {
    const passages = new Set(this.trace.passages.map((passage) => passage.id));
    const cited = new Map();
    for (const { chunk_id: id, ref, ok } of this.trace.sentences) if (ref !== null && ok) cited.set(id, [...(cited.get(id) ?? []), ref]);
    const items = this.trace.candidates.map((candidate) => {
      const title = make("p", { className: "place" }, makeLink(candidate));
      const heading = candidate.headings.at(-1);
      if (heading && heading !== candidate.title) title.append(` › ${heading}`);
      if (cited.has(candidate.id)) title.append(" ", make("span", { className: "badge good" }, `cited ${cited.get(candidate.id).join(", ")}`));
      else if (passages.has(candidate.id)) title.append(" ", make("span", { className: "badge" }, "in the prompt"));
      const scores = make("dl", { className: "scores" }, ...scoresOf(candidate).map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
      const text = make("details", {}, make("summary", {}, "Text"), make("div", { className: "text markdown" }, renderMarkdown(candidate.text)));
      return make("li", { id: `${this.id}-${candidate.id}` }, title, candidate.score === null ? "" : makeBar("bar", 0, candidate.score), scores, text);
    });
    this.fill("candidates", items.slice(0, BEST));
    const others = items.slice(BEST);
    if (!others.length) return;
    const list = make("ol", { className: "candidates", start: BEST + 1 }, ...others);
    this.part("candidates").append(make("details", {}, make("summary", {}, `${others.length} more`), list));
  }

  drawTimings() {
    const total = this.trace.timings.at(-1).ms || 1;
    let from = 0;
    const items = this.trace.timings.map(({ step, ms }) => {
      const item = make("li", {}, make("span", {}, STEPS[step]), make("span", { className: "score" }, milliseconds(ms - from)), makeBar("bar", from / total, (ms - from) / total));
      from = ms;
      return item;
    });
    this.fill("timings", items);
  }

  drawSpans() {
    const items = this.trace.spans.map((span) => make("li", {}, make("span", { className: "score" }, span.score.toFixed(2)), make("span", {}, span.text)));
    this.part("spans").querySelector("summary").textContent = `${items.length} sentences read on their own`;
    this.fill("spans", items);
  }

  drawPrompt() {
    const part = this.part("prompt");
    part.querySelector("summary").textContent = "The prompt";
    for (const { role, content } of this.trace.prompt) part.append(make("h4", {}, role), make("pre", { tabIndex: 0 }, content));
    part.hidden = !this.trace.prompt.length;
  }

  fill(name, items) {
    this.part(name).hidden = !items.length;
    this.part(name).querySelector("ol").append(...items);
  }

  part(name) {
    return this.element.querySelector(`[data-part="${name}"]`);
  }

  say(text) {
    this.part("state").textContent = text;
  }
}

function scoresOf({ words, vectors, fused, fused_rank: rank, relevance, score }) {
  const shown = (number) => (number === null ? "–" : number.toFixed(2));
  return [["Words", shown(words)], ["Vectors", shown(vectors)], ["Fused", `${shown(fused)} (no. ${rank})`], ["Reranker", shown(relevance)], ["Score", shown(score)]];
}
