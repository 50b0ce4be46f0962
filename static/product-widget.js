// The page about the widget: its look, its calls tried out, and the events that the page hears from it.

import "./widget-look.js";

const heard = document.getElementById("heard");
const LONGEST = 160;
const MOST = 30;

for (const name of ["open", "close", "ask", "answer", "error", "feedback"]) {
  document.addEventListener(`flowchat:${name}`, ({ type, detail }) => tell(type, detail));
}

document.querySelector(".calls").addEventListener("click", ({ target }) => {
  const { call, text } = target.dataset;
  if (call) document.querySelector("flowchat-widget")[call](...(text ? [text] : []));
});

function tell(type, detail) {
  const line = document.createElement("li");
  const told = detail ? ` ${JSON.stringify(detail)}` : "";
  line.textContent = type + (told.length > LONGEST ? `${told.slice(0, LONGEST)}…` : told);
  heard.append(line);
  if (heard.children.length > MOST) heard.firstElementChild.remove();
  heard.scrollTop = heard.scrollHeight;
}
