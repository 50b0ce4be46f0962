// Talks to the server: the visitor's calls of the API, and an answer's stream that survives dropped connections.

import { readEvents } from "../static/sse.js";
import { Problem } from "./problems.js";

const FIRST_RETRIES_S = [0.5, 1.5]; // nothing came yet: the visitor hears soon that nothing will
const RETRIES_S = [0.5, 1, 2, 4, 8, 15, 15]; // as long as a restart of the server takes
const TRANSIENT = ["offline", "unreachable", "busy", "shutting_down", "broken_off"];
const MAX_WAIT_S = 15;
const SILENCE_S = 40; // the server sends something every 15 s: longer than this, the connection is dead

export class Server {
  constructor(host, key) {
    this.host = host;
    this.key = key;
  }

  /** What the key's owner set: {starter_questions, contact_url, texts}. Raises Problem. */
  async config() {
    return (await this.call("GET", "/v1/widget")).json();
  }

  async rate(feedback) {
    await this.call("POST", "/v1/feedback", { body: JSON.stringify(feedback) });
  }

  /**
   * Hands each event of the answer to `take(id, event, data)`, until the last one came. After a dropped connection it
   * goes on where it was; `wait(problem)` is told before each new attempt. Raises Problem, or AbortError.
   */
  async answer({ question, idempotencyKey, lastId, signal, take, wait }) {
    let seen = lastId;
    for (let attempt = 0; ; attempt += 1) {
      signal.throwIfAborted();
      const before = seen;
      try {
        await this.read({ question, idempotencyKey, seen, signal }, (id, event, data) => {
          seen = id;
          take(id, event, data);
        });
        return;
      } catch (error) {
        if (seen !== before) attempt = 0;
        const waits = seen ? RETRIES_S : FIRST_RETRIES_S;
        if (!TRANSIENT.includes(error.code) || attempt >= waits.length) throw error;
        wait(navigator.onLine ? error : new Problem("offline"));
        await pause(Math.min(error.retryAfterS || waits[attempt], MAX_WAIT_S), signal);
      }
    }
  }

  async read({ question, idempotencyKey, seen, signal }, take) {
    const headers = { "Idempotency-Key": idempotencyKey, ...(seen && { "Last-Event-ID": String(seen) }) };
    const connection = new AbortController();
    const cut = () => connection.abort();
    let timer = setTimeout(cut, SILENCE_S * 1000);
    const hearing = new TransformStream({
      transform(bytes, stream) {
        clearTimeout(timer);
        timer = setTimeout(cut, SILENCE_S * 1000);
        stream.enqueue(bytes);
      },
    });
    signal.addEventListener("abort", cut);
    try {
      const response = await this.call("POST", "/v1/chat", { body: JSON.stringify(question), headers, signal: connection.signal });
      for await (const { id, event, data } of readEvents({ body: response.body.pipeThrough(hearing) })) {
        if (event === "error" && TRANSIENT.includes(data.code)) throw new Problem(data.code, data.message);
        take(Number(id), event, data);
        if (event === "stream.done") return;
      }
    } catch (error) {
      const isDropped = error instanceof TypeError || ["NetworkError", "AbortError"].includes(error.name);
      throw isDropped && !signal.aborted ? new Problem("broken_off") : error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", cut);
    }
    throw new Problem("broken_off");
  }

  async call(method, path, { headers = {}, ...options } = {}) {
    const own = { "X-FlowChat-Key": this.key, ...(options.body && { "Content-Type": "application/json" }) };
    let response;
    try {
      response = await fetch(this.host + path, {
        method,
        headers: { ...own, ...headers },
        credentials: "omit",
        cache: "no-store",
        ...options,
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem(navigator.onLine ? "unreachable" : "offline", `${this.host}: ${error.message}`);
    }
    if (!response.ok) throw await Problem.of(response);
    return response;
  }
}

/** Ends early when the browser is back online; lasts until then when it is offline. Raises AbortError. */
function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const done = new AbortController();
    const end = (settle, value) => {
      done.abort();
      clearTimeout(timer);
      settle(value);
    };
    const timer = setTimeout(() => navigator.onLine && end(resolve), seconds * 1000);
    addEventListener("online", () => end(resolve), { signal: done.signal });
    signal.addEventListener("abort", () => end(reject, signal.reason), { signal: done.signal });
  });
}
