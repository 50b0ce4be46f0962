// What the panel is made of: a header, the list of turns and the box to ask in; as a dialog with a launcher, or as a
// section of the page.

import { make } from "../static/dom.js";
import { icon } from "./icons.js";
import css from "./style.css";

export const MAX_QUERY_CHARS = 2000;

let sheet = null;

export class Frame {
  constructor(root, texts, isInline) {
    Object.assign(this, { root, texts, isInline });
    if (!sheet) (sheet = new CSSStyleSheet()).replaceSync(css);
    root.adoptedStyleSheets = [sheet];
    this.panel = make(isInline ? "section" : "dialog", { className: "panel" });
    this.panel.setAttribute("aria-labelledby", "title");
    this.notice = make("p", { className: "notice", hidden: true });
    this.announcer = make("p", { className: "unseen", role: "status" });
    this.panel.append(this.makeHeader(), this.makeLog(), this.notice, this.makeForm(), this.announcer);
    this.base = make("div", { className: "base", lang: texts.language, dir: texts.direction }, this.panel);
    if (!isInline) this.base.append(this.makeLauncher());
    this.say();
    root.replaceChildren(this.base);
  }

  makeHeader() {
    this.title = make("h2", { id: "title", dir: "auto" });
    this.fresh = makeButton("new");
    this.shut = makeButton("close");
    this.shut.hidden = this.isInline;
    return make("header", { role: "none" }, this.title, this.fresh, this.shut);
  }

  makeLog() {
    this.greeting = make("p", { className: "greeting", dir: "auto" });
    this.starters = make("div", { className: "starters", role: "group" });
    this.turns = make("div", { className: "turns" });
    this.log = make("div", { className: "log", role: "log", tabIndex: 0, ariaLive: "off" });
    this.log.append(this.greeting, this.starters, this.turns);
    return this.log;
  }

  makeForm() {
    this.query = make("textarea", { rows: 1, maxLength: MAX_QUERY_CHARS, enterKeyHint: "send", dir: "auto" });
    this.query.setAttribute("autocomplete", "off");
    this.go = makeButton("send");
    this.go.type = "submit";
    this.halt = makeButton("stop");
    this.halt.hidden = true;
    for (const button of [this.go, this.halt]) button.classList.add("go");
    this.form = make("form", {}, this.query, this.go, this.halt);
    return this.form;
  }

  makeLauncher() {
    this.panel.popover = "manual";
    this.launcher = make("button", { className: "launcher", type: "button", popover: "manual" }, icon("chat"));
    this.launcher.setAttribute("aria-haspopup", "dialog");
    this.launcher.ariaExpanded = "false";
    return this.launcher;
  }

  /** All texts of the frame, again when the key's owner has own ones. */
  say() {
    this.title.textContent = this.texts.say("title");
    this.greeting.textContent = this.texts.say("greeting");
    this.query.placeholder = this.texts.say("placeholder");
    this.label(this.query, "placeholder");
    this.label(this.log, "conversation");
    this.label(this.starters, "starters");
    const buttons = [[this.fresh, "new"], [this.shut, "close"], [this.go, "send"], [this.halt, "stop"], [this.launcher, "open"]];
    for (const [button, name] of buttons) {
      if (button) button.title = this.label(button, name);
    }
  }

  label(element, name) {
    return (element.ariaLabel = this.texts.say(name));
  }
}

function makeButton(name) {
  return make("button", { className: "icon", type: "button" }, icon(name));
}
