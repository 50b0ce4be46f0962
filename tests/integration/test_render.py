"""Pages rendered by Debian's chromium, from a site on loopback."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
from loopback import Reader, Server, Writer, answer, redirect, serving, settings

from flowchat.errors import FlowChatError
from flowchat.net.render import Renderer

pytestmark = pytest.mark.browser

TEXT = "What the page says is long enough that nobody would take it for a page that is still empty. " * 3
APP = """<!DOCTYPE html><html><head><title>Loading</title></head><body><div id="app"></div>
<noscript>Please enable JavaScript</noscript><script>
fetch('/api/data.json').then(answer => answer.json()).then(data => {
  document.title = data.title;
  document.getElementById('app').innerHTML =
    `<h1>${data.title}</h1><p>${data.text}</p><a href="/second">Second</a><a href="third">Third</a>`;
});
</script></body></html>"""
DATA = answer(f'{{"title": "Made by script", "text": "{TEXT}"}}'.encode(), content_type="application/json")


@pytest.fixture
async def site() -> AsyncIterator[Server]:
    async with serving() as server:
        server.answers["/api/data.json"] = DATA
        yield server


@pytest.fixture
async def renderer(site: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Renderer]:
    """Its profile lies in `tmp_path`. It may reach the site, and no other port."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    async with aclosing(rendering(site)) as renderer:
        yield renderer
    assert list(tmp_path.iterdir()) == []


def rendering(site: Server, timeout_s: float = 30, max_bytes: int = 100_000) -> Renderer:
    allowed = settings(f"127.0.0.1:{site.port}", timeout_s=timeout_s, max_bytes=max_bytes)
    return Renderer(replace(allowed, renderer="chromium"))


def page(body: str) -> bytes:
    html = f"<!DOCTYPE html><title>Page</title><body><p>{TEXT}</p>{body}</body>"
    return answer(html.encode(), content_type="text/html; charset=utf-8")


async def failure(renderer: Renderer, url: str) -> str:
    with pytest.raises(FlowChatError) as caught:
        await renderer.render(url, {})
    return caught.value.code


async def test_a_page_that_scripts_make(site: Server, renderer: Renderer) -> None:
    site.answers["/"] = answer(APP.encode(), content_type="text/html")
    html = await renderer.render(site.url + "/", {})
    assert "<title>Made by script</title>" in html
    assert f"<h1>Made by script</h1><p>{TEXT}</p>" in html
    assert '<a href="/second">Second</a><a href="third">Third</a>' in html
    assert "enable JavaScript" not in html
    assert "<base" not in html


async def test_pages_one_after_another(site: Server, renderer: Renderer) -> None:
    paths = [f"/{number}" for number in range(3)]
    site.answers |= {path: page(f"<script>document.write('page ' + {path[1:]})</script>") for path in paths}
    pages = await asyncio.gather(*(renderer.render(site.url + path, {}) for path in paths))
    assert ["page 0" in pages[0], "page 1" in pages[1], "page 2" in pages[2]] == [True] * 3


async def test_text_that_comes_late(site: Server, renderer: Renderer) -> None:
    script = f"<script>setTimeout(() => document.body.append('{TEXT}'), 2000)</script>"
    site.answers["/"] = answer(f"<title>Late</title><body>{script}</body>".encode(), content_type="text/html")
    html = await renderer.render(site.url + "/", {})
    assert html.endswith(TEXT + "</body></html>")


async def test_shadow_roots_and_slots(site: Server, renderer: Renderer) -> None:
    site.answers["/"] = page(
        """<x-card><b>from outside</b></x-card><script>customElements.define('x-card', class extends HTMLElement {
        constructor() { super();
          this.attachShadow({mode: 'open'}).innerHTML = '<h2>In the shadow</h2><slot>nothing</slot><p>after</p>'; }
        })</script>"""
    )
    html = await renderer.render(site.url + "/", {})
    assert "<x-card><h2>In the shadow</h2><b>from outside</b><p>after</p></x-card>" in html


async def test_links_are_relative_to_where_scripts_led(site: Server, renderer: Renderer) -> None:
    site.answers["/start"] = page("<a href='next'>next</a><script>history.pushState({}, '', '/app/home')</script>")
    html = await renderer.render(site.url + "/start", {})
    assert f'<base href="{site.url}/app/home">' in html


async def test_dialogs_reloads_and_popups_do_not_hold_it_up(site: Server, renderer: Renderer) -> None:
    site.answers["/"] = page("<script>alert(1); prompt(2); open('/popup'); document.write('went on')</script>")
    assert "went on" in await renderer.render(site.url + "/", {})
    site.answers["/again"] = page("<script>location.reload()</script>")
    assert TEXT in await renderer.render(site.url + "/again", {})
    assert len([head for head in site.requests if head.startswith("GET /again ")]) <= 5
    assert not [head for head in site.requests if head.startswith("GET /popup ")]


async def test_headers_go_to_the_own_origin_only(site: Server) -> None:
    async with serving() as other:
        both = settings(f"127.0.0.1:{site.port}", f"127.0.0.1:{other.port}")
        site.answers["/"] = page(
            f"<script>fetch('/api/data.json'); fetch('{other.url}/data', {{mode: 'no-cors'}})</script>"
        )
        async with aclosing(Renderer(replace(both, renderer="chromium"))) as renderer:
            await renderer.render(site.url + "/", {"Authorization": "Basic Zm9vOmJhcg=="})
        own = [head for head in site.requests if "favicon" not in head]
        assert len(own) == 2
        assert all("\r\nauthorization: basic zm9vomjhcg==\r\n" in head.lower() for head in own)
        assert len(other.requests) == 1
        assert "authorization" not in other.requests[0].lower()


ESCAPES = """
<link rel=preconnect href="http://127.0.0.1:PORT/"><link rel=prefetch href="http://127.0.0.1:PORT/prefetch">
<link rel=stylesheet href="http://127.0.0.1:PORT/style"><script src="http://127.0.0.1:PORT/script"></script>
<img src="http://127.0.0.1:PORT/img"><img src="http://localhost:PORT/img"><img src="http://[::1]:PORT/img">
<iframe src="http://127.0.0.1:PORT/frame"></iframe><iframe src="/redirect"></iframe>
<object data="http://127.0.0.1:PORT/object"></object><video src="http://127.0.0.1:PORT/video" autoplay></video>
<form target=_blank method=post action="http://127.0.0.1:PORT/form"></form>
<script>
const host = '127.0.0.1:PORT', quietly = {mode: 'no-cors'};
for (const url of [`http://${host}/a`, `https://${host}/b`, 'http://2130706433:PORT/c', 'http://0.0.0.0:PORT/d',
                   'http://localhost:PORT/e', '/redirect']) fetch(url, quietly).catch(() => 0);
new WebSocket(`ws://${host}/`);
new WebSocket(`wss://${host}/`);
new EventSource(`http://${host}/events`);
navigator.sendBeacon(`http://${host}/beacon`, 'x');
document.forms[0].submit();
open(`http://${host}/open`);
new Worker(URL.createObjectURL(new Blob([`fetch('http://${host}/worker').catch(() => 0); new WebSocket('ws://${host}/')`])));
navigator.serviceWorker.register('/worker.js').catch(() => 0);
for (const url of [`stun:${host}`, `turn:${host}?transport=udp`, `turn:${host}?transport=tcp`]) {
  const peer = new RTCPeerConnection({iceServers: [{urls: url, username: 'a', credential: 'b'}]});
  peer.createDataChannel('x');
  peer.createOffer().then(offer => peer.setLocalDescription(offer));
}
if (window.WebTransport) new WebTransport(`https://${host}/`).ready.catch(() => 0);
setTimeout(() => { location.href = `http://${host}/away` }, 500);
</script>"""


async def test_nothing_reaches_a_private_address(site: Server, renderer: Renderer) -> None:
    datagrams: list[bytes] = []

    class Datagrams(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            datagrams.append(data)

    async def connection(_reader: Reader, _writer: Writer) -> None:
        pass

    async with serving(connection) as other:
        loop = asyncio.get_running_loop()
        udp, _ = await loop.create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", other.port))
        site.answers["/"] = page(ESCAPES.replace("PORT", str(other.port)))
        site.answers["/redirect"] = redirect(f"http://127.0.0.1:{other.port}/redirected")
        site.answers["/worker.js"] = answer(
            f"fetch('http://127.0.0.1:{other.port}/', {{mode: 'no-cors'}})".encode(), content_type="text/javascript"
        )
        assert TEXT in await renderer.render(site.url + "/", {})
        assert await failure(renderer, site.url + "/redirect") == "render_failed"
        assert await failure(renderer, f"http://127.0.0.1:{other.port}/") == "render_failed"
        udp.close()
    assert any(head.startswith("GET /redirect ") for head in site.requests)
    assert (other.connections, datagrams) == (0, [])


async def test_a_page_may_not_lead_to_another_site(site: Server) -> None:
    async with serving() as other:
        other.answers["/"] = page("another site")
        site.answers["/"] = page(f"<script>location.href = '{other.url}/'</script>")
        both = settings(f"127.0.0.1:{site.port}", f"127.0.0.1:{other.port}")
        async with aclosing(Renderer(replace(both, renderer="chromium"))) as renderer:
            html = await renderer.render(site.url + "/", {})
    assert TEXT in html
    assert "another site" not in html
    assert other.connections == 0


async def test_a_page_that_never_answers_times_out_and_leaves_nothing(
    site: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    site.answers |= {"/": page("<script>while (true);</script>"), "/good": page("")}
    async with aclosing(rendering(site, timeout_s=10)) as renderer:
        rendered = asyncio.create_task(failure(renderer, site.url + "/"))
        await requested(site)
        group = processes_of(tmp_path)
        assert len(group) > 2
        assert await rendered == "render_timeout"
        assert [pid for pid in group if is_alive(pid)] == []
        assert list(tmp_path.iterdir()) == []


async def test_a_cancelled_rendering_leaves_nothing_and_the_next_one_works(
    site: Server, renderer: Renderer, tmp_path: Path
) -> None:
    site.answers["/"] = page("")
    rendered = asyncio.create_task(renderer.render(site.url + "/", {}))
    await requested(site)
    group = processes_of(tmp_path)
    rendered.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rendered
    assert [pid for pid in group if is_alive(pid)] == []
    assert TEXT in await renderer.render(site.url + "/", {})


async def test_a_page_that_never_comes_to_rest_is_taken_as_it_is(site: Server) -> None:
    site.answers["/"] = page("<script>setInterval(() => document.body.append(' more'), 20)</script>")
    async with aclosing(rendering(site, timeout_s=8)) as renderer:
        assert " more more" in await renderer.render(site.url + "/", {})


async def test_a_page_that_is_too_large(site: Server, renderer: Renderer) -> None:
    site.answers["/"] = page("<script>document.body.append('é'.repeat(60000))</script>")
    assert await failure(renderer, site.url + "/") == "fetch_too_large"


async def test_a_page_that_is_not_there(site: Server, renderer: Renderer) -> None:
    assert await failure(renderer, site.url + "/missing") == "render_failed"
    site.answers["/"] = page("")
    assert TEXT in await renderer.render(site.url + "/", {})


@pytest.mark.parametrize("program", ["no-such-browser", "/bin/false", "/bin/cat"])
async def test_no_chromium(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    async with aclosing(Renderer(replace(settings(), renderer=program))) as renderer:
        assert await failure(renderer, "http://127.0.0.1:9/") == "render_failed"
    assert list(tmp_path.iterdir()) == []


async def requested(site: Server) -> None:
    async with asyncio.timeout(30):
        while not site.requests:  # noqa: ASYNC110 (the server has no Event)
            await asyncio.sleep(0.05)


def processes_of(profiles: Path) -> list[int]:
    """The process group of the browser whose profile lies in a folder."""
    folders = [folder for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    leaders = {folder.name for folder in folders if str(profiles).encode() in read(folder / "cmdline")}
    return [int(folder.name) for folder in folders if group_of(folder) in leaders]


def group_of(process: Path) -> str:
    fields = read(process / "stat").rpartition(b")")[2].split()
    return fields[2].decode() if fields else ""


def is_alive(pid: int) -> bool:
    """Whether it runs; one that nobody has waited for doesn't."""
    fields = read(Path(f"/proc/{pid}/stat")).rpartition(b")")[2].split()
    return bool(fields) and fields[0] != b"Z"


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
