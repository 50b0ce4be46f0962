// <flowchat-widget>: reads the element's attributes, keeps its conversation, and shows the panel.

import { Conversation } from "./conversation.js";
import { Panel } from "./panel.js";
import { tellOwner } from "./problems.js";
import { Texts } from "./texts.js";

const LOCALE = /^[a-z]{2,8}(-[a-z0-9]{1,8}){0,4}$/i; // the server refuses others
const ATTRIBUTES = ["data-key", "data-source", "data-locale", "data-mode", "data-host"];

/** `scriptUrl`: where this script came from, which is where questions go. A second script on the page changes nothing. */
export function defineWidget(scriptUrl) {
  if (customElements.get("flowchat-widget")) return;
  const ownHost = new URL(scriptUrl, location.href).origin;

  const made = new Set();

  class FlowChatWidget extends HTMLElement {
    static observedAttributes = ATTRIBUTES;

    #panel = null;
    #making = null; // the promise of the panel: it waits for its texts
    #conversation = null;
    #isRemade = false;
    #name = "";
    #waiting = []; // calls of the page before there is a panel

    constructor() {
      super();
      this.attachShadow({ mode: "open" });
    }

    connectedCallback() {
      if (this.#panel) this.#panel.connect();
      else if (!this.#making) this.#make();
    }

    /** Elements that frameworks only move are back in the page before the microtask. */
    disconnectedCallback() {
      this.#conversation?.keep(); // for another element that a framework puts in its place
      queueMicrotask(() => {
        if (!this.isConnected) this.#unmake();
      });
    }

    attributeChangedCallback(name, before, after) {
      if (!this.#making || this.#isRemade || before === after) return;
      this.#isRemade = true;
      queueMicrotask(() => {
        this.#isRemade = false;
        if (!this.isConnected) return;
        this.#unmake();
        this.#make();
      });
    }

    get isOpen() {
      return this.#panel?.isOpen ?? false;
    }

    open() {
      this.#once((panel) => panel.open());
    }

    close() {
      this.#once((panel) => panel.close());
    }

    /** Opens the panel and asks. */
    ask(text) {
      this.open();
      this.#once((panel) => panel.ask(String(text)));
    }

    /** Begins a new conversation. */
    reset() {
      this.#once((panel) => panel.reset());
    }

    /** Now, or once there is a panel. */
    #once(act) {
      if (this.#panel) act(this.#panel);
      else this.#waiting.push(act);
    }

    /** What the tab keeps the conversation under: another name for each element in the page. */
    #nameIt({ key = "", source, mode }) {
      const taken = [...made].filter((other) => other !== this && other.isConnected).map((other) => other.#name);
      this.#name = [key.slice(-8), source, mode, this.id].join(" ");
      while (taken.includes(this.#name)) this.#name += "+";
      made.add(this);
      return this.#name;
    }

    #make() {
      const host = this.dataset.host ? new URL(this.dataset.host, location.href).origin : ownHost;
      const pageLanguage = this.closest("[lang]")?.lang ?? "";
      const wanted = [this.dataset.locale, pageLanguage, navigator.language].map((tag) => (tag ?? "").replaceAll("_", "-"));
      const locale = wanted.find((tag) => LOCALE.test(tag)) ?? "en";
      const making = Texts.load(host, locale, pageLanguage).then((texts) => {
        if (this.#making === making && !this.#isRemade) this.#build(host, texts);
      });
      this.#making = making;
    }

    #build(host, texts) {
      const { key = "", source = "", mode = "" } = this.dataset;
      const isInline = mode === "inline";
      this.#conversation = new Conversation({
        host,
        key,
        sources: source.split(",").map((name) => name.trim()).filter(Boolean),
        locale: texts.locale,
        name: this.#nameIt(this.dataset),
        emit: (name, detail) => this.#emit(name, detail),
      });
      const isOpenAtFirst = "open" in this.dataset;
      this.#panel = new Panel(this.shadowRoot, { texts, conversation: this.#conversation, isInline, isOpenAtFirst });
      this.#panel.connect();
      if (!key) tellOwner("missing_key");
      for (const act of this.#waiting.splice(0)) act(this.#panel);
    }

    #unmake() {
      this.#conversation?.leave();
      this.#panel?.remove();
      this.#panel = this.#conversation = this.#making = null;
      made.delete(this);
    }

    #emit(name, detail) {
      this.dispatchEvent(new CustomEvent(`flowchat:${name}`, { bubbles: true, composed: true, detail }));
    }
  }

  customElements.define("flowchat-widget", FlowChatWidget);
}
