// The look of the widget: what is chosen shows in the previews, the contrasts and the CSS. The browser remembers it.

const MEMORY = "flowchat-widget-look";
const ENOUGH = 4.5;
const theme = document.getElementById("theme");
const controls = theme ? [...theme.querySelectorAll("[data-property]")] : [];

function show() {
  for (const control of controls) {
    const { property, scheme } = control.dataset;
    for (const preview of document.querySelectorAll(scheme ? `[data-preview="${scheme}"]` : "[data-preview]")) {
      preview.style.setProperty(property, control.value);
    }
    document.querySelector(`[data-value="${control.name}"]`).textContent = control.value;
  }
  const css = document.getElementById("css");
  css.closest(".code-block").querySelector("[data-copy]").dataset.copy = css.textContent;
  showContrasts();
}

function showContrasts() {
  const badges = [...document.querySelectorAll("[data-contrast]")];
  for (const badge of badges) {
    const [text, behind, scheme] = badge.dataset.contrast.split(" ");
    const ratio = contrast(theme.elements[`${text}-${scheme}`].value, theme.elements[`${behind}-${scheme}`].value);
    const isEnough = ratio >= ENOUGH;
    badge.textContent = `${(Math.floor(ratio * 10) / 10).toFixed(1)} : 1 ${isEnough ? "✓" : "too low"}`;
    badge.className = `badge ${isEnough ? "good" : "bad"}`;
  }
  const low = badges.filter((badge) => badge.classList.contains("bad")).length;
  document.getElementById("contrast").textContent = low ? `${low} of ${badges.length} are too low.` : "All are enough.";
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

if (theme) {
  recall();
  show();
  theme.addEventListener("input", () => {
    show();
    remember();
  });
  theme.addEventListener("reset", () => {
    localStorage.removeItem(MEMORY);
    setTimeout(show); // the fields are reset after the event
  });
  theme.addEventListener("submit", (event) => event.preventDefault());
}

const chooser = document.querySelector("form[data-choose]");
chooser?.addEventListener("change", ({ target }) => {
  if (target.name === "key") chooser.elements.source.value = "";
  chooser.requestSubmit();
});
