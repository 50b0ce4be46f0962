// What tests ask of the widget's shadow tree; each function returns what is wrong, as text.

globalThis.CHECKS = {
  root: () => document.querySelector("flowchat-widget").shadowRoot,

  seen: (selector) => [...CHECKS.root().querySelectorAll(selector)].filter((element) => element.checkVisibility()),

  /** Controls smaller than 44 px, with what ::after adds to them. In running text 24 px will do (WCAG 2.5.8). */
  small() {
    return CHECKS.seen("button, .pages a, .card a, .contact a, summary, input")
      .filter((control) => {
        const { width, height } = control.getBoundingClientRect();
        const after = getComputedStyle(control, "::after");
        const [x, y] = after.position === "absolute" ? [parseFloat(after.left), parseFloat(after.top)] : [0, 0];
        const isInText = control.matches(".chip");
        return width - 2 * x < (isInText ? 24 : 43.9) || height - 2 * y < 43.9;
      })
      .map((control) => `small: ${control.outerHTML.slice(0, 120)}`);
  },

  /** What is beyond the window's sides, and text that is higher than its button. */
  cutOff() {
    const wrong = CHECKS.seen(".base *:not(svg *)").filter((element) => {
      if (element.closest("pre, .table, textarea, blockquote, .unseen")) return false;
      const { left, right } = element.getBoundingClientRect();
      const isTooHigh = element.matches("button, a") && element.clientHeight && element.scrollHeight > element.clientHeight + 1;
      return left < -1 || right > innerWidth + 1 || (isTooHigh && getComputedStyle(element, "::after").content === "none");
    });
    const isTooWide = document.documentElement.scrollWidth > innerWidth;
    return [...wrong.map((element) => `cut off: ${element.outerHTML.slice(0, 120)}`), ...(isTooWide ? ["the page scrolls"] : [])];
  },

  /** Lines and icons that tell where a control is, or its state: 3 to 1 (WCAG 1.4.11). Texts are axe's, all but this one. */
  faint() {
    const faint = [];
    const look = (element, colour, back, least) => {
      const [low, high] = [luminance(colour), luminance(back)].sort((one, other) => one - other);
      const ratio = (high + 0.05) / (low + 0.05);
      if (!(ratio >= least)) faint.push(`faint: ${element.className || element.localName} ${ratio.toFixed(2)}`);
    };
    for (const edged of CHECKS.seen(".panel > form, .small:not(.text .copy), .starters button, .reason input, .chip, .card")) {
      look(edged, getComputedStyle(edged).borderTopColor, backOf(edged.parentElement), 3);
    }
    for (const icon of CHECKS.seen("svg")) look(icon.parentElement, getComputedStyle(icon).stroke, backOf(icon), 3);
    for (const box of CHECKS.seen("textarea")) look(box, getComputedStyle(box, "::placeholder").color, backOf(box), 4.5);
    return faint;
  },

  /** From now on `read` is what live regions say. */
  listen() {
    window.read = [];
    const take = ({ target, addedNodes }) => {
      const element = target.closest ? target : target.parentElement;
      const region = element.closest("[role=status], [role=alert], [aria-live]");
      const text = [...addedNodes].map((node) => node.textContent).join("") || target.data;
      if (region && region.getAttribute("aria-live") !== "off" && text && region.checkVisibility()) read.push(text);
    };
    const observer = new MutationObserver((changes) => changes.forEach(take));
    observer.observe(CHECKS.root(), { subtree: true, childList: true, characterData: true });
  },

  /** The name of what has the focus, and whether that is seen. */
  focused() {
    let active = document.activeElement;
    while (active.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
    if (active === document.body) return ["", false];
    const { outlineStyle, outlineWidth } = getComputedStyle(active);
    const isOutlined = outlineStyle === "solid" && parseFloat(outlineWidth) >= 2;
    const form = active.closest("form");
    return [active.ariaLabel ?? active.textContent, isOutlined || Boolean(form && getComputedStyle(form).boxShadow !== "none")];
  },

  /** The language and the direction of each. */
  languages(selectors) {
    const told = (element) => [element.closest("[lang]").lang, getComputedStyle(element).direction];
    return Object.fromEntries(selectors.map((selector) => [selector, told(CHECKS.root().querySelector(selector))]));
  },

  /** With the spacing that WCAG 1.4.12 wants texts to stand. */
  space() {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }
      p { margin-block-end: 2em !important }`);
    CHECKS.root().adoptedStyleSheets.push(sheet);
  },
};

function backOf(element) {
  const own = getComputedStyle(element).backgroundColor;
  return /[,/] 0\)$|transparent/.test(own) && element.parentElement ? backOf(element.parentElement) : own;
}

/** https://www.w3.org/TR/WCAG22/#dfn-relative-luminance */
function luminance(colour) {
  const canvas = document.createElement("canvas").getContext("2d");
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  const parts = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => part / 255);
  const [red, green, blue] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
