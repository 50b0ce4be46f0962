// What went wrong: a name of the visitor's text, and what the console tells the site's owner to do.

const VISITORS_TEXT = {
  offline: "offline",
  unreachable: "unreachable",
  busy: "busy",
  shutting_down: "busy",
  rate_limited: "too_many",
  quota_exceeded: "quota",
  missing_key: "unavailable",
  unauthorized: "unavailable",
  key_revoked: "unavailable",
  read_only: "unavailable",
  origin_not_allowed: "unavailable",
  not_found: "unavailable",
};
const OWNERS_HINT = {
  missing_key: "the element has no data-key. Give it a widget key (kbk_live_…): make one in the admin, under Keys.",
  unauthorized: "the widget key in data-key is unknown, revoked or expired. Make or rotate one in the admin, under Keys.",
  key_revoked: "the widget key in data-key was revoked. Put another one there: the admin makes them, under Keys.",
  origin_not_allowed: `the widget key may not be used on ${location.origin}. Add this origin to the key, in the admin under Keys.`,
  not_found: "data-source names a source that is not there, or that the key may not ask.",
  read_only: "your FlowChat account is read-only, so its keys give no answers. The admin says why, under Plan and billing.",
  not_ready: "no source that the key may ask is indexed yet. The admin shows how far it is, under Sources.",
  quota_exceeded:
    "all the answers that the key's caps, or your plan, allow are given. See its usage in the admin, under Keys and Usage.",
  rate_limited: "a visitor, or all visitors of the key, asked more than its limits allow in a minute.",
  unreachable:
    "the server can't be reached. Is it up, is its certificate valid, and does this page's Content-Security-Policy, if it " +
    "has one, name it under connect-src?",
};

export class Problem extends Error {
  /** `retryAfterS`: when the server wants to be asked again; 0 if it does not say. */
  constructor(code, detail = "", retryAfterS = 0) {
    super(detail);
    this.code = code;
    this.retryAfterS = retryAfterS;
  }

  /** Of a response that is not an answer. */
  static async of(response) {
    const { code, detail, param } = (await response.json().catch(() => null)) ?? {};
    const fallback = response.status >= 500 ? "busy" : "broken";
    const name = param === "conversation_id" ? "conversation_gone" : (code ?? fallback);
    return new Problem(name, detail, Number(response.headers.get("Retry-After")) || 0);
  }

  /** Of whatever was raised; what nobody expected is a bug, and shown on the console as one. */
  static from(error) {
    if (error instanceof Problem) return error;
    console.error(error);
    return new Problem("broken");
  }

  get text() {
    return Object.hasOwn(VISITORS_TEXT, this.code) ? VISITORS_TEXT[this.code] : "broken";
  }

  /** No question at all can be asked here. */
  get isLasting() {
    return this.text === "unavailable";
  }
}

/** In the console, once for each code: what to do about it. */
export function tellOwner(code, detail = "") {
  const hint = OWNERS_HINT[code];
  if (!hint || told.has(code)) return;
  told.add(code);
  console.error(`FlowChat: ${hint}${detail && ` (${detail})`}`);
}
const told = new Set();
