// One question with its answer, drawn from the events of the chat stream.

import { count, headingOf, make, makeLink, makeMark, milliseconds, setVerdict, titleOf } from "./dom.js";
import { plainText, SentencesView } from "./sentences.js";

const STATES = {
  "retrieval.started": "Searching the documentation…",
  "retrieval.reranked": "Passages found. Deciding whether they answer the question…",
  "nli.verified": "Checked so far. The language model may add a sentence, if a page supports it…",
};

export class AnswerView {
  constructor(element, question, reading) {
    this.element = element;
    this.reading = reading;
    this.state = make("p", { className: "state" }, "Asking…");
    this.text = make("div", { className: "text markdown" });
    this.sentences = new SentencesView(this.text, (cited) => this.mark(cited));
    this.more = make("div", { className: "more" });
    const title = make("h3", { id: "answer-title" }, question);
    element.replaceChildren(title, this.state, this.text, this.more);
    element.setAttribute("aria-busy", "true");
    delete element.dataset.outcome;
    element.hidden = false;
  }

  show(event, sentence) {
    if (STATES[event]) this.state.textContent = STATES[event];
    if (sentence) this.sentences.draw(sentence);
  }

  /** What is said, to be read out. */
  get spoken() {
    return plainText(this.text);
  }

  mark({ ref, chunkId, ok }) {
    const mark = makeMark(ref, chunkId, titleOf(this.reading.chunks.get(chunkId)));
    if (ok !== null) setVerdict(mark, ok);
    return mark;
  }

  finish() {
    const { refusal, reason, suggestions } = this.reading.end;
    if (refusal) this.settle("refused", reason === "not_ready" ? "Not indexed yet" : "Refused: the documentation does not say");
    else this.settle("answered", verdict(this.reading));
    if (refusal && suggestions?.length) this.addSuggestions(suggestions);
    if (!refusal) this.addSources();
    const { withheld } = this.reading;
    if (withheld.length) {
      const sentences = count(withheld.length, "sentence of the language model was", "sentences of the language model were");
      this.more.append(make("p", { className: "withheld" }, `${sentences} withheld: no page entails what it said.`));
    }
  }

  /** `message`: what happened and what to do. What was shown until then stays. */
  fail(state, message) {
    this.settle("failed", state);
    this.more.append(make("p", { className: "failure" }, message));
  }

  stop() {
    this.settle("stopped", this.text.hasChildNodes() ? "Stopped. What is shown was checked." : "Stopped");
  }

  settle(outcome, state) {
    this.element.setAttribute("aria-busy", "false");
    this.element.dataset.outcome = outcome;
    this.state.textContent = state;
  }

  addSources() {
    const refsOf = Map.groupBy(this.reading.cited, (cited) => cited.chunkId);
    const items = [...refsOf].map(([id, refs]) => this.source(this.reading.chunks.get(id), refs));
    if (items.length) this.more.append(make("h4", {}, "Sources"), make("ul", { className: "sources" }, ...items));
  }

  source(chunk, refs) {
    const place = make("span", {}, makeLink(chunk));
    const heading = headingOf(chunk);
    if (heading) place.append(make("span", { className: "where" }, ` › ${heading}`));
    return make("li", {}, make("span", { className: "refs" }, refs.map(({ ref }) => ref).join(", ")), place);
  }

  addSuggestions(suggestions) {
    const items = suggestions.map((page) => make("li", {}, makeLink(page)));
    this.more.append(make("h4", {}, "Nearest pages"), make("ul", { className: "suggestions" }, ...items));
  }
}

function verdict({ sentences, cited, times }) {
  const unsupported = cited.filter((one) => !one.ok).length;
  if (unsupported) return `${unsupported} of ${count(cited.length, "sentence")} not supported by a page`;
  const [firstText] = times["generation.token"];
  const each = sentences.length === 1 ? "supported by its page" : "each supported by its page";
  return `${count(sentences.length, "sentence")}, ${each}; the first after ${milliseconds(firstText)}`;
}
