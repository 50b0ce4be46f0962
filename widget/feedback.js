// Thumbs up and down, and the reason for a thumb down.

import { make } from "../static/dom.js";
import { icon } from "./icons.js";

const MAX_REASON_CHARS = 1000;

/** The elements. `rate(rating, reason)` tells the server; a thumb counts at once, its reason follows. */
export function feedback(turn, texts, rate) {
  const thanks = make("p", { className: "thanks", role: "status" });
  const reason = reasonForm(texts, async (text) => {
    reason.hidden = true;
    thumbs[1].focus();
    await send("down", text);
  });
  const send = async (rating, text) => {
    try {
      await rate(rating, text);
      thanks.textContent = texts.say("thanks");
    } catch (problem) {
      thanks.textContent = texts.say(problem.text ?? "unreachable");
    }
  };
  const thumbs = [
    ["up", "helpful"],
    ["down", "unhelpful"],
  ].map(([rating, name]) => {
    const thumb = make("button", { className: "icon thumb", type: "button", title: texts.say(name) }, icon(rating));
    thumb.ariaLabel = texts.say(name);
    thumb.ariaPressed = String(turn.rating === rating);
    thumb.addEventListener("click", () => {
      for (const other of thumbs) other.ariaPressed = String(other === thumb);
      reason.hidden = rating !== "down";
      if (rating === "down") reason.elements.text.focus();
      send(rating, "");
    });
    return thumb;
  });
  return [...thumbs, thanks, reason];
}

function reasonForm(texts, submit) {
  const text = make("input", { name: "text", maxLength: MAX_REASON_CHARS, autocomplete: "off" });
  const label = make("label", {}, texts.say("reason"), text);
  const form = make("form", { className: "reason", hidden: true }, label, make("button", { className: "small" }, texts.say("send")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(text.value.trim());
  });
  return form;
}
