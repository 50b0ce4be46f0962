// The look of the widget: what is chosen shows on the stage, in the contrasts and in the CSS. The browser remembers it.

const MEMORY = "flowchat-widget-look";
const ENOUGH = 4.5;
const look = document.getElementById("look");
const shown = document.getElementById("shown");
const stage = document.getElementById("stage");
const css = document.getElementById("css");
const controls = [...look.querySelectorAll("[data-property]")];

recall();
if (matchMedia("(prefers-color-scheme: dark)").matches) shown.elements.scheme.value = "dark";
show();

look.addEventListener("input", () => {
  show();
  remember();
});
look.addEventListener("reset", () => {
  localStorage.removeItem(MEMORY);
  setTimeout(show); // the fields are reset after the event
});
look.addEventListener("submit", (event) => event.preventDefault());
shown.addEventListener("change", show);

function show() {
  const scheme = shown.elements.scheme.value;
  stage.dataset.scheme = scheme;
  for (const control of controls) {
    const { property } = control.dataset;
    if ((control.dataset.scheme ?? scheme) === scheme) stage.style.setProperty(property, control.value);
    document.querySelector(`[data-value="${control.name}"]`).textContent = control.value;
  }
  showMode();
  showContrasts();
  const copy = css.closest(".code-block")?.querySelector("[data-copy]");
  if (copy) copy.dataset.copy = css.textContent;
}

function showMode() {
  const widget = stage.querySelector("flowchat-widget");
  const { value } = shown.elements.mode;
  if ((widget.dataset.mode ?? "") !== value) widget.dataset.mode = value;
  stage.querySelector(".look-elsewhere").hidden = value === "inline";
}

function showContrasts() {
  const told = [...document.querySelectorAll("[data-contrast]")];
  for (const cell of told) {
    const [text, behind, scheme] = cell.dataset.contrast.split(" ");
    const ratio = contrast(look.elements[`${text}-${scheme}`].value, look.elements[`${behind}-${scheme}`].value);
    const isEnough = ratio >= ENOUGH;
    cell.textContent = `${(Math.floor(ratio * 10) / 10).toFixed(1)} : 1 ${isEnough ? "✓" : "too low"}`;
    cell.dataset.ok = String(isEnough);
  }
  const low = told.filter((cell) => cell.dataset.ok === "false").length;
  document.getElementById("contrast").textContent = low ? `${low} of ${told.length} are too low.` : "All are enough.";
}

// WCAG 2.2, definitions of contrast ratio and relative luminance; colours are #rrggbb.
function contrast(one, other) {
  const [lighter, darker] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (lighter + 0.05) / (darker + 0.05);
}

function luminance(colour) {
  const linear = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

function remember() {
  localStorage.setItem(MEMORY, JSON.stringify(Object.fromEntries(controls.map(({ name, value }) => [name, value]))));
}

function recall() {
  const kept = JSON.parse(localStorage.getItem(MEMORY) ?? "{}");
  for (const control of controls) {
    if (kept[control.name] === undefined) continue;
    control.value = kept[control.name];
    if (control.tagName === "SELECT" && control.selectedIndex < 0) control.selectedIndex = 0;
  }
}
