// One turn: the question, its answer as it comes, and what a visitor can do with it.

import { headingOf, make, titleOf } from "../static/dom.js";
import { plainText, SentencesView } from "../static/sentences.js";
import { Citations } from "./citations.js";
import { feedback } from "./feedback.js";
import { icon } from "./icons.js";
import { copyButton, pageLink, siteText } from "./parts.js";

export class TurnView {
  /** `actions`: {contactUrl(), retry(), rate(rating, reason)}. */
  constructor(turn, texts, actions) {
    Object.assign(this, { turn, texts, actions, changed: new Set() });
    this.state = make("p", { className: "state" });
    this.text = siteText(texts, "div", "text");
    this.after = make("div", { className: "after" });
    const asked = make("span", { className: "unseen", dir: texts.direction }, `${texts.say("asked")}: `);
    const question = make("p", { className: "question", dir: "auto" }, asked, turn.query);
    this.answer = make("div", { className: "answer" }, this.text, this.state, this.after);
    this.element = make("article", { className: "turn" }, question, this.answer);
    this.draw();
    if (turn.state !== "running") this.end();
  }

  clear() {
    this.after.replaceChildren();
    this.reading = null;
    this.draw();
  }

  begin() {
    this.answer.ariaBusy = "true";
    this.element.dataset.state = "running";
    this.state.hidden = false;
    this.state.textContent = this.texts.say("searching");
  }

  wait(text) {
    this.state.textContent = text;
  }

  /** Draws with the browser's next frame, however many events come until then. `drawn` is called after it. */
  change(event, sentence, drawn) {
    const state = this.texts.say(event === "retrieval.started" ? "searching" : "checking"); // also after `wait`
    if (this.state.textContent !== state) this.state.textContent = state;
    if (!sentence) return;
    this.changed.add(sentence);
    this.frame ??= requestAnimationFrame(() => {
      this.draw();
      drawn();
    });
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    if (this.reading !== this.turn.reading) this.redraw();
    else for (const sentence of this.changed) this.sentences.draw(sentence);
    this.changed.clear();
  }

  /** The answer begins, or begins anew. */
  redraw() {
    this.reading = this.turn.reading;
    this.citations = new Citations(this.reading, this.texts);
    this.text.replaceChildren();
    this.sentences = new SentencesView(this.text, (cited) => this.citations.chip(cited), {
      onCode: (pre) => pre.before(copyButton(this.texts, () => pre.textContent, this.actions.announce)),
    });
    this.reading.sentences.forEach((sentence) => this.sentences.draw(sentence));
  }

  end() {
    const { state, problem, reading } = this.turn;
    this.draw();
    this.answer.ariaBusy = "false";
    this.element.dataset.state = state;
    this.state.textContent = problem ? this.texts.say(problem.text) : state === "stopped" ? this.texts.say("stopped") : "";
    this.state.hidden = !this.state.textContent;
    const parts = [];
    this.text.lang = state === "refused" ? this.texts.language : this.texts.pageLanguage;
    if (state === "refused") parts.push(...this.refusal(reading.end ?? {}));
    if (state !== "refused" && reading.cited.length) parts.push(this.verdict(), this.sources());
    parts.push(this.buttons());
    this.after.replaceChildren(...parts);
  }

  /** What a screen reader is told once the answer is there. */
  get spoken() {
    const { turn, texts, citations } = this;
    if (turn.state === "failed" || turn.state === "stopped") return this.state.textContent;
    const sources = citations.pages.map((page) => titleOf(page)).join("; ");
    return `${texts.say("answer")}: ${plainText(this.text)}${sources && ` ${this.verdictText}. ${texts.say("sources")}: ${sources}.`}`;
  }

  get verdictText() {
    return this.texts.say(this.turn.reading.cited.every(({ ok }) => ok) ? "verified" : "partly_verified");
  }

  verdict() {
    const summary = make("summary", {}, icon(this.turn.reading.cited.every(({ ok }) => ok) ? "check" : "warn"), this.verdictText);
    return make("details", { className: "verdict" }, summary, make("p", {}, this.texts.say("verified_about")));
  }

  sources() {
    const items = this.citations.pages.map((page, index) => {
      const heading = headingOf(page);
      const number = make("span", { className: "number" }, String(index + 1));
      const name = siteText(this.texts, "span", "", heading ? `${titleOf(page)} › ${heading}` : titleOf(page));
      return make("li", {}, pageLink(page, number, name));
    });
    return this.list("sources", items);
  }

  refusal({ suggestions = [] }) {
    const parts = [];
    const contact = this.actions.contactUrl();
    const pages = suggestions.map((page) => make("li", {}, pageLink(page, siteText(this.texts, "span", "", titleOf(page)))));
    if (pages.length) parts.push(this.list("nearest", pages));
    if (contact) parts.push(make("p", { className: "contact" }, pageLink({ url: contact }, this.texts.say("contact"))));
    return parts;
  }

  list(name, items) {
    const list = make("ul", {}, ...items);
    list.setAttribute("aria-label", this.texts.say(name));
    return make("div", { className: "pages" }, make("p", { className: "label", ariaHidden: "true" }, this.texts.say(name)), list);
  }

  buttons() {
    const { turn, texts, actions } = this;
    const row = make("div", { className: "buttons" });
    if (turn.state === "stopped" || (turn.problem && !turn.problem.isLasting)) row.append(this.retryButton());
    if (turn.state === "answered") row.append(copyButton(texts, () => this.copied(), actions.announce));
    if (turn.messageId) row.append(...feedback(turn, texts, actions.rate));
    return row;
  }

  retryButton() {
    const button = make("button", { className: "small", type: "button" }, icon("retry"), this.texts.say("retry"));
    button.addEventListener("click", () => this.actions.retry());
    return button;
  }

  /** The answer with the addresses it cites. */
  copied() {
    const pages = this.citations.pages.map((page, index) => `[${index + 1}] ${page.url}`);
    return [this.turn.answer.trim(), ...pages].join("\n\n");
  }
}
