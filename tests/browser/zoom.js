// For test_zoom.py: what of a page is cut off, covered or too wide, as a list of sentences.

(() => {
  const EXCERPTS = ".said"; // of sentences that stand whole in the answer beside them
  const wrong = [];
  const isMeantToBeSeen = (one) => !one.closest(".hidden, .skip") && getComputedStyle(one).clipPath === "none";
  const isShown = (one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && isMeantToBeSeen(one);
  const nameOf = (one) => `${one.tagName.toLowerCase()}.${one.className?.baseVal ?? one.className} “${(one.innerText ?? "").trim().slice(0, 30)}”`;

  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) wrong.push(`the page is ${scrollWidth} wide in a window of ${clientWidth}`);

  for (const one of document.querySelectorAll("body *")) {
    if (!isShown(one) || !one.innerText?.trim() || one.closest(`svg, ${EXCERPTS}`)) continue;
    const style = getComputedStyle(one);
    const cuts = (overflow) => ["hidden", "clip"].includes(overflow);
    if (cuts(style.overflowX) && one.scrollWidth > one.clientWidth + 1) wrong.push(`cut off at its side: ${nameOf(one)}`);
    if (cuts(style.overflowY) && one.scrollHeight > one.clientHeight + 2) wrong.push(`cut off below: ${nameOf(one)}`);
  }

  const texts = "a[href], button, label, summary, h1, h2, h3, p, dt, dd, th, td, legend, li";
  const isScrolled = (one) => one && (["auto", "scroll"].includes(getComputedStyle(one).overflowX) || isScrolled(one.parentElement));
  const isRow = (one) => ["flex", "grid"].includes(getComputedStyle(one.parentElement).display.replace("inline-", ""));
  for (const one of document.querySelectorAll(texts)) {
    if (!isShown(one) || !one.innerText?.trim()) continue;
    const box = one.getBoundingClientRect();
    if (!isScrolled(one) && (box.left < -1 || box.right > clientWidth + 1)) wrong.push(`beyond the window: ${nameOf(one)}`);
    const next = one.nextElementSibling;
    if (!next || !isShown(next) || !next.innerText?.trim() || !isRow(one)) continue;
    if ([one, next].some((element) => ["absolute", "fixed", "sticky"].includes(getComputedStyle(element).position))) continue;
    const other = next.getBoundingClientRect();
    const width = Math.min(box.right, other.right) - Math.max(box.left, other.left);
    const height = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
    if (width > 2 && height > 2) wrong.push(`one over the other: ${nameOf(one)} and ${nameOf(next)}`);
  }
  return [...new Set(wrong)];
})()
