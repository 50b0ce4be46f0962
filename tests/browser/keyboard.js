// For test_keyboard.py: what Tab should come by in a page, and what it comes by.

const USED = "a[href], button, input, select, textarea, summary, [tabindex], [contenteditable]";
const OVER_PAGES = ".topbar, .toasts, .sidebar"; // what stays in its place while the page scrolls

const keyboard = {
  usable: [],
  unfocused: new Map(), // element -> its look without the focus

  /** Names of what can be used, in document order. Of radio buttons only the one that Tab leads to. */
  begin() {
    this.goToTheStart();
    const all = [...document.querySelectorAll(`${USED}, flowchat-widget`)];
    const inside = all.flatMap((one) => (one.shadowRoot ? [...one.shadowRoot.querySelectorAll(USED)] : [one]));
    this.usable = inside.filter((one) => this.isUsable(one));
    this.unfocused = new Map(this.usable.map((one) => [one, this.look(one)]));
    return this.usable.map((one) => `${one.tagName.toLowerCase()} ${this.nameOf(one)}`);
  },

  /** Where Tab goes on from is then before everything else, whatever had the focus. */
  goToTheStart() {
    const first = document.createElement("span");
    first.tabIndex = -1;
    document.body.prepend(first);
    first.focus();
    first.remove();
  },

  isUsable(one) {
    if (one.matches(':disabled, [tabindex="-1"], [type="hidden"]') || !one.checkVisibility({ visibilityProperty: true })) return false;
    if (one.type !== "radio") return true;
    const group = [...document.querySelectorAll(`input[type="radio"][name="${CSS.escape(one.name)}"]`)];
    return one === (group.find((radio) => radio.checked) ?? group[0]);
  },

  nameOf(one) {
    return (one.ariaLabel ?? one.innerText ?? "").trim().slice(0, 40) || one.name || one.id;
  },

  /** Its own, and that of the box around it, which shows the focus of the homepage's question. */
  look(one) {
    const styles = [one, one.parentElement].map((element) => getComputedStyle(element));
    return styles.map(({ outlineStyle, outlineWidth, outlineColor, boxShadow, borderColor }) =>
      [outlineStyle, outlineWidth, outlineColor, boxShadow, borderColor].join());
  },

  /** Something was exchanged meanwhile (a live part of the page): what was found says nothing. */
  wasChanged() {
    return this.usable.some((one) => !one.isConnected);
  },

  /** [the number of what has the focus (-1: nothing, -2: something that is not usable), what is wrong with it] */
  focused() {
    const one = document.activeElement?.shadowRoot?.activeElement ?? document.activeElement;
    if (!one || one === document.body || one === document.documentElement) return [-1, ""];
    const number = this.usable.indexOf(one);
    if (number < 0) return [-2, one.outerHTML.slice(0, 80)];
    if (!this.isSeen(one)) return [number, "its focus can't be seen"];
    return [number, this.hiddenBy(one)];
  },

  isSeen(one) {
    const before = this.unfocused.get(one);
    return this.look(one).some((look, number) => look !== before[number]);
  },

  hiddenBy(one) {
    const box = one.getBoundingClientRect();
    if (box.bottom < 1 || box.top > innerHeight - 1 || box.right < 1 || box.left > innerWidth - 1) return "off the screen";
    const within = (number, most) => Math.min(Math.max(number, 0), most - 1);
    const above = document.elementFromPoint(within(box.left + box.width / 2, innerWidth), within(box.top + box.height / 2, innerHeight));
    const covering = above?.closest(OVER_PAGES);
    return covering && !covering.contains(one) ? `under ${covering.className}` : "";
  },
};
window.keyboard = keyboard;
