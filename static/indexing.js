// While the documentation is being indexed after the first start: looks by itself whether the demo can answer now.

const LOOK_MS = 4000;
const notice = document.getElementById("indexing");

async function look() {
  const page = await fetch("/").then((response) => (response.ok ? response.text() : ""), () => "");
  if (page && !page.includes('id="indexing"')) notice.textContent = "The documentation is indexed now: ask it something.";
  else setTimeout(look, LOOK_MS);
}

setTimeout(look, LOOK_MS);
