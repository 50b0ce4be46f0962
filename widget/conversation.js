// The conversation: its turns, what is being answered, and what the tab keeps of it.

import { Reading } from "../static/reading.js";
import { Server } from "./chat.js";
import { Problem, tellOwner } from "./problems.js";

const KEPT_TURNS = 20;

/** One question and what came of it. `state`: running, answered, refused, stopped or failed. */
class Turn {
  constructor({ query, question, idempotencyKey = uuid(), state = "running", events = [], lastId = 0, problem = null, rating = null }) {
    Object.assign(this, { query, question, idempotencyKey, state, lastId, rating });
    this.problem = problem && new Problem(problem.code);
    this.restart();
    for (const [event, data] of events) this.take(event, data);
  }

  /** The answer begins anew. */
  restart() {
    this.events = [];
    this.reading = new Reading();
  }

  take(event, data) {
    const last = this.events.at(-1);
    if (event === "generation.token" && last?.[0] === event) last[1].text += data.text;
    else this.events.push([event, { ...data }]);
    return this.reading.take(event, data, performance.now());
  }

  get answer() {
    return this.reading.sentences.map((sentence) => sentence.text).join("");
  }

  get messageId() {
    return this.reading.end?.message_id;
  }

  toJSON() {
    const { query, question, idempotencyKey, state, events, lastId, rating } = this;
    return { query, question, idempotencyKey, state, events, lastId, rating, problem: this.problem && { code: this.problem.code } };
  }
}

export class Conversation {
  /** `name`: what the tab keeps it under. `emit(name, detail)` tells the page. */
  constructor({ host, key, sources, locale, name, emit }) {
    this.server = new Server(host, key);
    this.sources = sources;
    this.locale = locale;
    this.storageKey = `flowchat ${name}`;
    this.emit = emit;
    this.running = null;
    this.listener = null; // {turnChanged(turn, event), turnEnded(turn)}
    this.restore();
    addEventListener("pagehide", () => this.keep(), { signal: (this.left = new AbortController()).signal });
  }

  ask(query) {
    const turn = new Turn({ query });
    this.turns.push(turn);
    this.emit("ask", { query });
    this.keep();
    return turn;
  }

  /** Asks the turn's question, or goes on reading its answer. Never raises: the turn says how it ended. */
  async run(turn) {
    const controller = (this.running = new AbortController());
    Object.assign(turn, { state: "running", problem: null });
    turn.question ??= this.question(turn.query); // to go on reading, the very same question is sent again
    try {
      await this.server.answer({
        question: turn.question,
        idempotencyKey: turn.idempotencyKey,
        lastId: turn.lastId,
        signal: controller.signal,
        take: (id, event, data) => this.take(turn, id, event, data),
        wait: (problem) => this.listener?.turnWaits(turn, problem),
      });
    } catch (error) {
      if (this.left.signal.aborted) return;
      if (error.code === "conversation_gone" && this.id) {
        this.id = this.token = turn.question = null;
        return this.run(turn);
      }
      this.fail(turn, error);
    } finally {
      if (this.running === controller) this.running = null;
    }
    this.keep();
    this.listener?.turnEnded(turn);
    if (turn.state === "answered" || turn.state === "refused") this.tellPage(turn);
  }

  tellPage({ query, answer, state, messageId, reading: { cited, chunks } }) {
    const citations = cited.map(({ ref, chunkId, ok }) => ({ ref, ok, url: chunks.get(chunkId)?.url }));
    this.emit("answer", { query, answer, refusal: state === "refused", citations, messageId });
  }

  question(query) {
    this.visitorId ??= uuid();
    const { id, token, visitorId, sources, locale } = this;
    const thread = id ? { conversation_id: id, conversation_token: token } : {};
    return { query, locale, visitor_id: visitorId, ...(sources.length && { source: sources }), ...thread };
  }

  take(turn, id, event, data) {
    if (id === 1) turn.restart(); // the server, restarted, answers anew
    else if (id <= turn.lastId && event !== "stream.done") return;
    turn.lastId = id;
    for (const page of data.chunks ?? data.suggestions ?? []) {
      if (page.url?.startsWith("/")) page.url = this.server.host + page.url; // FlowChat's own pages
    }
    const sentence = turn.take(event, data);
    if (event === "error") this.fail(turn, new Problem(data.code, data.message));
    else if (event === "stream.done") this.finish(turn, data);
    else this.listener?.turnChanged(turn, event, sentence);
  }

  finish(turn, { refusal, reason, conversation_id, conversation_token }) {
    tellOwner(reason);
    if (turn.state === "running") turn.state = refusal ? "refused" : "answered";
    if (conversation_id && conversation_token) Object.assign(this, { id: conversation_id, token: conversation_token });
  }

  fail(turn, error) {
    if (error.name === "AbortError") {
      turn.state = "stopped";
      return;
    }
    turn.problem = this.report(error);
    turn.state = "failed";
  }

  /** Tells the site's owner and the page of it. Returns the Problem that it is. */
  report(error) {
    const problem = Problem.from(error);
    tellOwner(problem.code, problem.message);
    this.emit("error", { code: problem.code, message: problem.message });
    return problem;
  }

  stop() {
    this.running?.abort();
  }

  /** What a retry shows is a new answer. */
  again(turn) {
    Object.assign(turn, { idempotencyKey: uuid(), lastId: 0, question: null });
    turn.restart();
    return this.run(turn);
  }

  async rate(turn, rating, reason = "") {
    turn.rating = rating;
    this.keep();
    await this.server.rate({ message_id: turn.messageId, conversation_token: this.token, rating, reason });
    this.emit("feedback", { messageId: turn.messageId, rating });
  }

  reset() {
    this.stop();
    this.running = null; // the next question need not wait for the end of this one
    Object.assign(this, { turns: [], id: null, token: null });
    this.keep();
  }

  /** The element is gone from the page. */
  leave() {
    this.keep();
    this.left.abort();
    this.stop();
    this.listener = null;
  }

  restore() {
    const kept = read(this.storageKey);
    this.id = kept.id ?? null;
    this.token = kept.token ?? null;
    this.visitorId = kept.visitorId ?? null; // made with the first question
    this.isOpen = kept.isOpen ?? null; // null: the visitor did neither open nor close it
    try {
      this.turns = (kept.turns ?? []).map((turn) => new Turn(turn));
    } catch {
      this.turns = []; // written by another version, or by somebody else
    }
  }

  keep() {
    const { id, token, visitorId, isOpen } = this;
    if (!visitorId && isOpen === null) return; // nobody has used it
    write(this.storageKey, { id, token, visitorId, isOpen, turns: this.turns.slice(-KEPT_TURNS) });
  }
}

/** Pages may be denied their storage: the conversation then lives as long as the page. */
function read(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key)) ?? {};
  } catch {
    return {};
  }
}

function write(key, value) {
  try {
    sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // blocked or full
  }
}

/** `crypto.randomUUID` is there on https pages only. */
function uuid() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
