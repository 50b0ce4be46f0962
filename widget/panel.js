// What the panel does: opens and closes, asks, shows the turns, keeps the focus where it belongs, and is read out.

import { isCalm, make } from "../static/dom.js";
import { Frame, MAX_QUERY_CHARS } from "./frame.js";
import { Problem } from "./problems.js";
import { TurnView } from "./turn.js";

const OWN_EVENTS = ["keydown", "keypress", "keyup", "focusin"]; // else a page's shortcuts and focus traps take what is typed here
const ENOUGH_ROOM_PX = 480; // narrower or lower windows are filled by the dialog
const READ_MS = 10_000; // until it is gone again, so that nobody meets it when reading on

export class Panel extends Frame {
  /** `isOpenAtFirst`: it stands open until the visitor closes it. */
  constructor(root, { texts, conversation, isInline, isOpenAtFirst }) {
    super(root, texts, isInline);
    this.isOpenAtFirst = isOpenAtFirst;
    this.conversation = conversation;
    this.views = new Map(); // turn -> its view
    this.isConfigured = false;
    this.isShown = false;
    this.listen();
    conversation.listener = this;
    conversation.turns.forEach((turn) => this.show(turn));
    this.showStart();
  }

  listen() {
    const { signal } = this.conversation.left;
    addEventListener("online", () => this.notice.hidden || this.configure(), { signal });
    this.fresh.addEventListener("click", () => this.reset());
    this.shut.addEventListener("click", () => this.close());
    this.halt.addEventListener("click", () => this.conversation.stop());
    this.launcher?.addEventListener("click", () => (this.isOpen ? this.close() : this.open()));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask(this.query.value);
    });
    this.query.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.form.requestSubmit();
    });
    this.base.addEventListener("keydown", (event) => this.pressed(event));
    for (const type of OWN_EVENTS) {
      this.base.addEventListener(type, (event) => this.panel.contains(event.target) && event.stopPropagation());
    }
    for (const event of ["wheel", "touchmove", "pointerdown", "keydown"]) {
      this.log.addEventListener(event, () => (this.isFollowing = false), { passive: true });
    }
    this.panel.addEventListener("cancel", (event) => {
      event.preventDefault(); // the browser's own way back; this one keeps the focus
      this.close();
    });
  }

  /** The element is in the page, maybe at another place than before. */
  connect() {
    if (this.isInline) this.whenSeen();
    else {
      const wasShown = this.isShown;
      this.isShown = false; // what is moved in the page leaves the top layer
      this.panel.classList.remove("open");
      this.panel.close();
      raise(this.launcher);
      const isWanted = this.conversation.isOpen ?? this.isOpenAtFirst;
      if (isWanted && (wasShown || hasRoom())) this.open({ isRestored: true });
    }
    const unfinished = this.conversation.turns.findLast((turn) => turn.state === "running");
    if (unfinished && !this.conversation.running) this.run(unfinished);
  }

  whenSeen() {
    this.observer?.disconnect();
    this.observer = new IntersectionObserver((seen) => {
      if (!seen.some((entry) => entry.isIntersecting)) return;
      this.observer.disconnect();
      this.configure();
    });
    this.observer.observe(this.panel);
  }

  /** Fetches what the key's owner set, when it is first needed. */
  async configure() {
    if (this.isConfigured) return;
    this.isConfigured = true;
    try {
      if (!this.conversation.server.key) throw new Problem("missing_key");
      this.config = await this.conversation.server.config();
      this.texts.replace(this.config.texts);
      this.say();
      this.tell(null);
      this.showStart();
      for (const [turn, view] of this.views) if (turn.state === "refused") view.end(); // they link to the contact
    } catch (error) {
      this.isConfigured = false;
      const problem = this.conversation.report(error);
      const hadFocus = this.root.activeElement === this.query;
      this.tell(problem.isLasting || !navigator.onLine ? problem.text : null, problem.isLasting);
      this.announce(this.notice.textContent);
      if (hadFocus) this.focus();
    }
  }

  /** A notice above the box, or none; with `isLasting` there is nothing to ask with. */
  tell(text, isLasting = false) {
    this.notice.hidden = !text;
    this.notice.textContent = text ? this.texts.say(text) : "";
    this.form.hidden = isLasting;
    if (isLasting) this.greeting.hidden = this.starters.hidden = true;
  }

  get isOpen() {
    return this.isInline || this.isShown;
  }

  open({ isRestored = false } = {}) {
    this.configure();
    if (this.isInline) return;
    if (!this.isOpen) {
      this.returnTo = deepActive();
      this.isShown = true;
      this.panel.classList.add("open");
      this.panel.classList.toggle("whole", !hasRoom());
      const isModal = !hasRoom() || Boolean(document.querySelector(":modal")); // beside a modal dialog, all is inert
      this.panel.ariaModal = String(isModal); // browsers take all of the top layer for modal
      if (isModal) this.panel.showModal();
      else if (this.panel.showPopover) raise(this.panel);
      else this.panel.show();
      this.launcher.ariaExpanded = "true";
      this.announceIn(this.panel);
      this.tellNews(false);
      this.conversation.isOpen = true;
      this.conversation.emit("open");
      this.log.scrollTop = this.log.scrollHeight;
    }
    if (!isRestored) this.focus();
  }

  /** Into the box, but where that would bring up a keyboard on the screen. */
  focus() {
    (matchMedia("(hover: none)").matches || this.form.hidden ? this.log : this.query).focus();
  }

  /** On the launcher of a closed panel: an answer has come. */
  tellNews(isNew) {
    this.launcher.classList.toggle("news", isNew);
    this.launcher.ariaLabel = this.texts.say("open") + (isNew ? ` (${this.texts.say("answer")})` : "");
  }

  close() {
    if (this.isInline || !this.isOpen) return;
    const hadFocus = this.panel.contains(this.root.activeElement);
    this.isShown = false;
    this.panel.classList.remove("open");
    if (this.panel.open) this.panel.close();
    else this.panel.hidePopover?.();
    this.launcher.ariaExpanded = "false";
    this.announceIn(this.base); // what is hidden is not read
    this.conversation.isOpen = false;
    this.conversation.keep();
    this.conversation.emit("close");
    if (hadFocus) (this.returnTo?.isConnected ? this.returnTo : this.launcher).focus();
  }

  pressed(event) {
    const turn = this.root.activeElement?.closest(".turn");
    const card = turn?.querySelector(".card") ?? [...this.panel.querySelectorAll(".card")].at(-1);
    if (event.key !== "Escape" || event.isComposing || !(card || this.isShown)) return;
    event.stopPropagation();
    event.preventDefault();
    if (card) card.chip.click();
    else this.close();
  }

  ask(text) {
    const query = text.trim().slice(0, MAX_QUERY_CHARS);
    if (!query || this.conversation.running || this.form.hidden) return;
    const hadFocus = this.starters.contains(this.root.activeElement);
    this.query.value = "";
    const turn = this.conversation.ask(query);
    this.show(turn);
    if (hadFocus) this.focus();
    this.run(turn);
  }

  reset() {
    this.conversation.reset();
    this.go.hidden = false;
    this.halt.hidden = true;
    this.views.clear();
    this.turns.replaceChildren();
    this.announcer.textContent = "";
    this.tell(null);
    this.showStart();
    this.focus();
  }

  show(turn) {
    const view = new TurnView(turn, this.texts, {
      contactUrl: () => this.config?.contact_url,
      announce: (text) => this.announce(text),
      retry: () => this.retry(turn),
      rate: (rating, reason) => this.conversation.rate(turn, rating, reason),
    });
    this.views.set(turn, view);
    this.turns.append(view.element);
    this.showStart();
  }

  /** Greeting and starter questions stand where nothing was asked yet. */
  showStart() {
    const isEmpty = !this.conversation.turns.length;
    this.greeting.hidden = this.starters.hidden = !isEmpty;
    this.fresh.hidden = isEmpty;
    const questions = (this.config?.starter_questions ?? []).map((question) => {
      const button = make("button", { type: "button", dir: "auto" }, question);
      button.addEventListener("click", () => this.ask(question));
      return button;
    });
    this.starters.replaceChildren(...questions);
  }

  retry(turn) {
    if (this.conversation.running) return;
    this.focus(); // what was pressed goes away
    this.run(turn, () => {
      this.conversation.again(turn);
      this.views.get(turn).clear(); // the turn has begun anew by now
    });
  }

  run(turn, start = () => this.conversation.run(turn)) {
    const hadFocus = this.root.activeElement === this.go;
    this.go.hidden = true;
    this.halt.hidden = false;
    if (hadFocus) this.halt.focus();
    this.tell(null);
    this.announce(this.texts.say("searching"));
    this.isFollowing = true;
    this.views.get(turn).begin();
    this.follow(turn);
    start();
  }

  turnChanged(turn, event, sentence) {
    this.views.get(turn)?.change(event, sentence, () => this.follow(turn));
  }

  turnWaits(turn, problem) {
    const text = this.texts.say(["offline", "busy"].includes(problem.code) ? problem.code : "reconnecting");
    this.views.get(turn)?.wait(text);
    this.announce(text);
  }

  turnEnded(turn) {
    const view = this.views.get(turn);
    if (!view) return;
    view.end();
    this.announce(view.spoken);
    this.follow(turn);
    const focused = this.root.activeElement;
    this.go.hidden = false;
    this.halt.hidden = true;
    if (turn.problem?.isLasting) this.tell(null, true); // the turn says why
    if (focused === this.halt || (focused === this.query && this.form.hidden)) this.focus();
    if (!this.isOpen) this.tellNews(true);
  }

  announceIn(element) {
    this.announce("");
    element.append(this.announcer);
  }

  /** Screen readers read what changes in here, once. */
  announce(text) {
    this.announcer.textContent = text;
    clearTimeout(this.read);
    this.read = setTimeout(() => (this.announcer.textContent = ""), READ_MS);
  }

  /** The newest of the answer stays in view, but its question never leaves it; until the visitor scrolls. */
  follow(turn) {
    const element = this.views.get(turn)?.element;
    if (!this.isFollowing || !element) return;
    const top = element.offsetTop - this.log.offsetTop;
    const end = this.log.scrollHeight - this.log.clientHeight;
    this.log.scrollTo({ top: Math.min(top, end), behavior: isCalm() ? "auto" : "smooth" });
  }

  remove() {
    this.observer?.disconnect();
    this.root.replaceChildren();
  }
}

/** Into the top layer, where no z-index and no transform of the page matters. */
function raise(element) {
  if (element.showPopover && !element.matches(":popover-open")) element.showPopover();
}

function hasRoom() {
  return innerWidth > ENOUGH_ROOM_PX && innerHeight > ENOUGH_ROOM_PX;
}

/** What has the focus, in whichever shadow tree. */
function deepActive() {
  let active = document.activeElement;
  while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
  return active === document.body ? null : active;
}
