// The live demo: asks, draws the stream as it comes, can be stopped, says what went wrong.

import { AnswerView } from "./answer.js";
import { isCalm, make } from "./dom.js";
import { Reading } from "./reading.js";
import { readEvents } from "./sse.js";
import { Threads } from "./threads.js";
import { TrailView } from "./trail.js";

const CLOCK_MS = 100;
const CALM_CLOCK_MS = 1000;

const stage = document.getElementById("demo");
const form = document.getElementById("ask");
const query = form.elements.q;
const go = form.querySelector(".go");
const stop = form.querySelector(".stop");
const examples = document.getElementById("examples");
const answer = document.getElementById("answer");
const trail = document.getElementById("trail");
const announcer = document.getElementById("announcer");
const threads = new Threads(stage);
let running = null;

if (isNarrow()) trail.open = false;
if (query.value) query.setSelectionRange(query.value.length, query.value.length);

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const question = query.value.trim();
  if (question && !running) ask(question);
});

query.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.isComposing) running?.abort();
});

stop.addEventListener("click", () => running?.abort());

examples.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button || running) return;
  query.value = button.textContent;
  form.requestSubmit();
});

async function ask(question) {
  setRunning(new AbortController());
  history.replaceState(null, "", `?q=${encodeURIComponent(question)}`);
  const asked = new Asked(question);
  bringIntoView(answer);
  const clock = setInterval(() => asked.trail.tick(asked.elapsed), isCalm() ? CALM_CLOCK_MS : CLOCK_MS);
  try {
    await stream(asked, running.signal);
  } catch (error) {
    if (error.name === "AbortError") asked.stop();
    else asked.fail("Connection lost", lostConnection());
  } finally {
    clearInterval(clock);
    setRunning(null);
  }
}

/** One question: what came of it so far, and the two views of it. */
class Asked {
  constructor(question) {
    this.question = question;
    this.since = performance.now();
    this.reading = new Reading();
    this.answer = new AnswerView(answer, question, this.reading);
    this.trail = new TrailView(trail, this.reading);
    this.isOver = false;
    document.getElementById("legend").hidden = true;
    announcer.textContent = "";
    threads.draw();
  }

  get elapsed() {
    return performance.now() - this.since;
  }

  show(event, data) {
    if (this.isOver) return;
    const elapsed = this.elapsed;
    const sentence = this.reading.take(event, data, elapsed);
    this.answer.show(event, sentence);
    this.trail.show(event, sentence, elapsed);
    if (event === "error") this.fail("The answer broke off", data.message);
    else if (event === "stream.done") this.finish();
    threads.draw();
  }

  finish() {
    this.answer.finish();
    this.trail.finish(this.elapsed);
    this.end(`${this.reading.end.refusal ? "Refused" : "Answer"}: ${this.answer.spoken} ${this.trail.spoken}`);
  }

  fail(state, message, retryAfterS = 0) {
    this.answer.fail(state, message);
    this.trail.breakOff(state, this.elapsed);
    this.end(`${state}. ${message}`, retryAfterS);
  }

  stop() {
    this.answer.stop();
    this.trail.breakOff("Stopped", this.elapsed);
    this.end("Stopped.");
  }

  end(announcement, waitS = 0) {
    this.isOver = true;
    announcer.textContent = announcement;
    const again = make("button", { className: "again", type: "button" }, "Ask again");
    again.addEventListener("click", () => {
      if (running) return;
      query.value = this.question;
      query.focus({ preventScroll: true });
      form.requestSubmit();
    });
    this.answer.more.append(again);
    if (waitS) countDown(again, waitS);
  }
}

async function stream(asked, signal) {
  const response = await fetch("/v1/chat", {
    method: "POST",
    headers: {
      "Accept": "text/event-stream",
      "Content-Type": "application/json",
      "X-FlowChat-Key": stage.dataset.key,
    },
    body: JSON.stringify({ query: asked.question, source: stage.dataset.source, locale: document.documentElement.lang }),
    signal,
  });
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    const message = problem.detail || `FlowChat answered with an error (${response.status}).`;
    asked.fail(refused(response.status), message, Number(response.headers.get("Retry-After")));
    return;
  }
  for await (const { event, data } of readEvents(response)) asked.show(event, data);
  if (!asked.isOver) asked.fail("The answer ended early", "Ask again.");
}

function refused(status) {
  if (status === 503) return "Busy just now";
  if (status === 429) return "Too many questions";
  return "Not answered";
}

function lostConnection() {
  return navigator.onLine ? "FlowChat can’t be reached. Ask again in a moment." : "You are offline. Ask again once you are connected.";
}

/** The time that the server asks for, counted down on the button; it may be pressed before. */
function countDown(button, seconds) {
  const until = performance.now() + seconds * 1000;
  const show = () => {
    const left = Math.ceil((until - performance.now()) / 1000);
    button.textContent = left > 0 ? `Ask again (in ${left} s)` : "Ask again";
    if (left > 0 && button.isConnected) setTimeout(show, 1000);
  };
  if (seconds < 600) show();
}

function bringIntoView(element) {
  if (element.getBoundingClientRect().top < innerHeight * 0.7) return;
  element.scrollIntoView({ block: "start", behavior: isCalm() ? "auto" : "smooth" });
}

function isNarrow() {
  return matchMedia("(max-width: 60rem)").matches;
}

function setRunning(controller) {
  const hadFocus = [go, stop].includes(document.activeElement);
  running = controller;
  go.hidden = Boolean(controller);
  stop.hidden = !controller;
  if (hadFocus) (controller ? stop : go).focus();
}
