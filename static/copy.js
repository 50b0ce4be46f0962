// A button on every block of code that copies it, and the keyboard's way into blocks that scroll.

for (const block of document.querySelectorAll("main pre")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", () => copy(block, button));
  const frame = document.createElement("div");
  frame.className = "code";
  block.replaceWith(frame);
  frame.append(block, button);
  block.tabIndex = 0;
}

for (const table of document.querySelectorAll(".prose table")) {
  if (table.scrollWidth > table.clientWidth) table.tabIndex = 0;
}

async function copy(block, button) {
  const isCopied = await navigator.clipboard?.writeText(block.textContent).then(() => true, () => false);
  if (!isCopied) getSelection().selectAllChildren(block); // plain HTTP has no clipboard
  button.textContent = isCopied ? "Copied" : "Selected";
  setTimeout(() => (button.textContent = "Copy"), 2000);
}
