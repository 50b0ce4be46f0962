// The playground's form: asks by one or two settings, one after the other, and shows the streams as they come.

import { RunView } from "./admin-run.js";
import { readEvents } from "./sse.js";

const form = document.getElementById("playground");
const runs = document.getElementById("runs");
const announcer = document.getElementById("announcer");
const go = form.querySelector("[data-go]");
const stop = form.querySelector("[data-stop]");
const compared = form.querySelector("[data-compared]");
const csrf = JSON.parse(document.body.getAttribute("hx-headers"));
const NUMBERS = ["lead_quotes", "refuse_below", "verify_threshold"];
let running = null;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (running || !form.elements.query.value.trim()) return;
  history.pushState(null, "", `${form.action}?${new URLSearchParams(entered())}`);
  askAll();
});

form.elements.query.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});

form.elements.compare.addEventListener("change", showCompared);
stop.addEventListener("click", () => running?.abort());
addEventListener("popstate", () => location.reload()); // the address tells what was asked

showCompared();
if (form.hasAttribute("data-ask") && form.elements.query.value.trim()) askAll();

/** The fields that say something, as [name, value] pairs. */
function entered() {
  const isCompared = form.elements.compare.checked;
  return [...new FormData(form)].filter(([name, value]) => value !== "" && value !== "gate" && (isCompared || !name.startsWith("b.")));
}

function showCompared() {
  compared.hidden = !form.elements.compare.checked;
}

async function askAll() {
  const prefixes = form.elements.compare.checked ? ["", "b."] : [""];
  setRunning(new AbortController());
  if (matchMedia("(max-width: 45rem)").matches) form.querySelector(".settings").open = false; // the answer comes below
  const views = prefixes.map((prefix, number) => new RunView(prefixes.length > 1 ? `Settings ${"AB"[number]}` : "Answer"));
  runs.replaceChildren(...views.map((view) => view.element));
  runs.classList.toggle("two", views.length > 1);
  for (const [number, view] of views.entries()) await ask(requestOf(prefixes[number]), view, running.signal);
  announcer.textContent = views.map((view) => view.spoken).join(" ");
  setRunning(null);
}

function requestOf(prefix) {
  const fields = new FormData(form);
  const request = { query: fields.get("query").trim(), mode: fields.get(`${prefix}mode`) };
  const sources = fields.getAll("source");
  if (sources.length) request.source = sources;
  for (const name of NUMBERS) if (fields.get(prefix + name) !== "") request[name] = Number(fields.get(prefix + name));
  return request;
}

async function ask(request, view, signal) {
  try {
    signal.throwIfAborted();
    view.begin();
    const headers = { ...csrf, "Accept": "text/event-stream", "Content-Type": "application/json", "HX-Request": "true" };
    const response = await fetch("/admin/playground/ask", { method: "POST", headers, body: JSON.stringify(request), signal });
    if (response.headers.has("HX-Redirect")) location.assign(response.headers.get("HX-Redirect"));
    if (!response.ok) return view.fail(problemOf(response));
    for await (const { event, data } of readEvents(response)) view.show(event, data);
    if (!view.isDone) view.fail("The answer ended early. Ask again.");
  } catch (error) {
    if (error.name === "AbortError") view.fail("Stopped.");
    else if (error instanceof TypeError) view.fail("The connection to FlowChat was lost. Ask again.");
    else throw error;
  }
}

/** Errors come as a toast, as htmx gets them. */
function problemOf(response) {
  const { toast } = JSON.parse(response.headers.get("HX-Trigger") ?? "{}");
  return toast?.text ?? `FlowChat answered with an error (${response.status}). Ask again.`;
}

function setRunning(controller) {
  const hadFocus = [go, stop].includes(document.activeElement);
  running = controller;
  go.hidden = Boolean(controller);
  stop.hidden = !controller;
  if (hadFocus) (controller ? stop : go).focus();
}
