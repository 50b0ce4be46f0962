// What the admin's pages do beside being pages: local times, dialogs, toasts, copying, sorting. All work without it.

const units = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60]];
const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" }); // amid our sentences
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const RELATIVE_S = 7 * 86400;
const TOAST_MS = 7000;

function showTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    const seconds = (moment - Date.now()) / 1000;
    const [unit, length] = units.find(([, length]) => Math.abs(seconds) >= length) ?? ["minute", 60];
    const text = seconds <= 0 && seconds > -60 ? "just now" : relative.format(Math.round(seconds / length), unit);
    const isNear = Math.abs(seconds) < RELATIVE_S && !("exact" in time.dataset);
    time.textContent = isNear ? text : exact.format(moment);
    time.title = full.format(moment);
  }
}

// Loading this page again would make another secret: it came as the answer to a form.
if (document.querySelector(".secret")) history.replaceState(null, "", location.href);

function toast(text, kind = "good") {
  const region = document.querySelector(`#toasts [data-kind="${kind}"]`);
  if (region.lastElementChild?.firstElementChild?.textContent === text) return; // what polls would say it for ever
  const shown = document.createElement("p");
  shown.className = `toast ${kind}`;
  const words = document.createElement("span");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.ariaLabel = "Close";
  close.textContent = "✕";
  close.addEventListener("click", () => shown.remove());
  shown.append(words, close);
  region.append(shown);
  if (kind === "good") setTimeout(() => shown.remove(), TOAST_MS);
}

// A live region tells only what comes into it: what the page brought along is put in again.
function tellNotices() {
  for (const notice of document.querySelectorAll("#toasts .toast")) {
    const { kind } = notice.parentElement.dataset;
    notice.remove();
    setTimeout(() => toast(notice.textContent, kind), 100);
  }
}

// Dialogs open by themselves as popovers; here they become modal, which keeps the keyboard inside.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[popovertarget]");
  const dialog = button && document.getElementById(button.getAttribute("popovertarget"));
  if (!(dialog instanceof HTMLDialogElement)) return;
  event.preventDefault();
  if (dialog.open) dialog.close();
  else dialog.showModal();
});

document.addEventListener("click", (event) => {
  if (event.target instanceof HTMLDialogElement) event.target.close(); // its backdrop
});

document.addEventListener("input", ({ target }) => {
  if (!("typed" in target.dataset)) return;
  target.setCustomValidity(target.value.trim() === target.dataset.typed ? "" : `Type ${target.dataset.typed}`);
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    toast("Copied.");
  } catch {
    toast("Your browser doesn't let this page copy. Select the text instead.", "bad");
  }
});

// A form that is on its way isn't sent twice.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.method !== "post") return;
  setTimeout(() => event.target.querySelectorAll("[type=submit]").forEach((button) => (button.disabled = true)));
});

addEventListener("pageshow", () => {
  document.querySelectorAll("form [type=submit]:disabled").forEach((button) => (button.disabled = false));
});

function makeSortable(root) {
  for (const table of root.querySelectorAll("table[data-sortable]")) {
    for (const [column, head] of [...table.tHead.rows[0].cells].entries()) {
      if (head.querySelector(".hidden, button")) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      button.addEventListener("click", () => sort(table, head, column));
      head.replaceChildren(button);
    }
  }
}

function sort(table, head, column) {
  const isUp = head.ariaSort !== "ascending";
  const value = (row) => {
    const cell = row.cells[column];
    return cell.dataset.value ?? cell.querySelector("time")?.dateTime ?? cell.textContent.trim();
  };
  const compare = new Intl.Collator(undefined, { numeric: true }).compare;
  const rows = [...table.tBodies[0].rows].sort((a, b) => compare(value(a), value(b)) * (isUp ? 1 : -1));
  table.tBodies[0].append(...rows);
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.ariaSort = isUp ? "ascending" : "descending";
}

// Parts that change by themselves: the server says when, and the part asks for itself anew. Only the tab that is looked
// at listens: a browser has six connections to a server.
function follow(part) {
  let source = null;
  const listen = () => {
    source?.close();
    source = document.hidden ? null : new EventSource(part.dataset.live);
    source?.addEventListener("changed", () => htmx.trigger(part, "changed"));
    source?.addEventListener("over", () => source.close());
  };
  document.addEventListener("visibilitychange", listen);
  listen();
}

function enhance(root) {
  showTimes(root);
  makeSortable(root);
  root.querySelector("[data-focus], [aria-invalid]")?.focus();
}

// What a poll would replace stays while a dialog in it is open.
document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.target.querySelector("dialog[open]")) event.preventDefault();
});

document.body.addEventListener("toast", ({ detail }) => toast(detail.text, detail.kind));
document.body.addEventListener("htmx:load", ({ detail }) => enhance(detail.elt));
document.body.addEventListener("htmx:sendError", () => toast("FlowChat doesn't answer. Is it running?", "bad"));
setInterval(() => showTimes(document), 60_000);
enhance(document);
tellNotices();
document.querySelectorAll("[data-live]").forEach(follow);
