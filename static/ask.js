// The question box of the home page: asks, shows the stream as it comes, can be stopped.

import { AnswerView } from "./answer.js";
import { readEvents } from "./sse.js";

const form = document.getElementById("ask");
const query = form.elements.query;
const go = form.querySelector(".go");
const stop = form.querySelector(".stop");
const examples = document.getElementById("examples");
const answers = document.getElementById("answers");
const announcer = document.getElementById("announcer");
let running = null;

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

stop.addEventListener("click", () => running?.abort());

examples.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button || running) return;
  query.value = button.textContent;
  form.requestSubmit();
});

async function ask(question) {
  const view = new AnswerView(question, announcer);
  answers.prepend(view.element);
  bringIntoView(view.element);
  setRunning(new AbortController());
  try {
    await stream(question, view, running.signal);
  } catch (error) {
    if (error.name === "AbortError") view.stopped();
    else view.failed("The connection to FlowChat was lost. Ask again.");
  } finally {
    setRunning(null);
  }
}

async function stream(question, view, signal) {
  const response = await fetch("/v1/chat", {
    method: "POST",
    headers: {
      "Accept": "text/event-stream",
      "Content-Type": "application/json",
      "X-FlowChat-Key": form.dataset.key,
    },
    body: JSON.stringify({ query: question, source: form.dataset.source, locale: document.documentElement.lang }),
    signal,
  });
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    view.failed(problem.detail || `FlowChat answered with an error (${response.status}). Ask again.`);
    return;
  }
  for await (const { event, data } of readEvents(response)) view.show(event, data);
  if (!view.isDone) view.failed("The answer ended early. Ask again.");
}

function bringIntoView(element) {
  if (element.getBoundingClientRect().top < innerHeight * 0.6) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
}

function setRunning(controller) {
  const hadFocus = [go, stop].includes(document.activeElement);
  running = controller;
  go.hidden = Boolean(controller);
  stop.hidden = !controller;
  if (hadFocus) (controller ? stop : go).focus();
}
