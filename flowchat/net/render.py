"""Pages whose text is made by scripts, rendered by a Chromium that the operator has installed.

Whatever a page requests goes through a proxy of ours, so that it reaches nothing that a fetch may not reach.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from ada_url import URL

from flowchat.errors import FlowChatError
from flowchat.net.devtools import Browser, Message
from flowchat.net.proxy import USER, Proxy
from flowchat.settings import Settings

LOOK_S = 0.25
QUIET_S = 1.0
LONG_QUIET_S = 5.0  # while a request is open (one that is open for so long waits for news), or hardly any text is there
FEW_CHARS = 200
SETTLE_SHARE = 0.5  # of the time-out: a page that never comes to rest is then taken as it is
MAX_TRANSFER_BYTES = 50_000_000
MAX_REQUESTS = 500
MAX_DOCUMENTS = 5  # with redirects: some pages reload for ever
VIEWPORT = {"width": 1280, "height": 4000, "deviceScaleFactor": 1, "mobile": False}  # high, for what loads when seen

_UNNEEDED = frozenset(
    "Image Media Font TextTrack EventSource Manifest Prefetch Ping CSPViolationReport SignedExchange".split()
)
_JSON_BYTES_PER_CHAR = 6  # "\u003C"
# What changes when the page does: how far it is loaded, how many elements and characters it shows.
_STATE = """
(() => {
  let elements = 0, chars = 0;
  const walk = node => {
    if (/^(script|style|noscript|template)$/i.test(node.nodeName)) return;
    if (node.nodeType === Node.TEXT_NODE) chars += node.data.trim().length;
    else elements += 1;
    for (const child of [...(node.shadowRoot?.childNodes ?? []), ...node.childNodes]) walk(child);
  };
  walk(document.documentElement);
  return [document.readyState, elements, chars];
})()
"""

# The DOM as its reader sees it: with what is in open shadow roots, without what is for browsers that run no scripts.
# The copy is inert: it runs and loads nothing. Its links are relative to where scripts have led.
_SERIALISE = """
((url, maxChars) => {
  const inert = document.implementation.createHTMLDocument();
  const copies = node => {
    if (node.localName === 'noscript') return [];
    const assigned = node.localName === 'slot' ? node.assignedNodes() : [];
    if (assigned.length) return assigned.flatMap(copies);
    const twin = inert.importNode(node, false);
    for (const child of (node.shadowRoot ?? node).childNodes) twin.append(...copies(child));
    return [twin];
  };
  const [root] = copies(document.documentElement);
  if (!root.querySelector('base[href]') && document.baseURI.split('#')[0] !== url.split('#')[0]) {
    const base = inert.createElement('base');
    base.href = document.baseURI;
    root.querySelector('head')?.prepend(base);
  }
  const html = '<!DOCTYPE html>' + root.outerHTML;
  return html.length > maxChars ? null : html;
})
"""


class Renderer:
    """Renders one page at a time, in a browser that starts when it is first needed and stays until `aclose()`.

    Make one for each crawl: its pages share cache and cookies, and share them with no other. All calls belong in one
    event loop.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turn = asyncio.Lock()
        self._proxy: Proxy | None = None
        self._browser: Browser | None = None
        self._context = ""

    async def aclose(self) -> None:
        """End the browser, and delete its profile."""
        async with self._turn:
            browser, self._browser = self._browser, None
            proxy, self._proxy = self._proxy, None
            if browser is not None:
                await browser.aclose()
            if proxy is not None:
                await proxy.aclose()

    async def render(self, url: str, headers: Mapping[str, str]) -> str:
        """The page's DOM as HTML, as soon as nothing has changed for a second and no request is open.

        Where hardly any text is there, or a request stays open, five seconds without a change are waited for.
        `headers` go with every request to the page's own origin, and nowhere else. The page may not lead to another
        origin. One that never comes to rest is taken as it is after half of the time-out (crawl_timeout_s).

        Raises FlowChatError: `render_timeout`; `fetch_too_large` if the HTML is larger than crawl_max_bytes or the page
        transfers more than 50 MB; `render_failed` if it can't be loaded or shown, or Chromium not run.
        """
        async with self._turn:
            try:
                async with asyncio.timeout(self._settings.crawl_timeout_s):
                    return await self._render(URL(url).href, headers)
            except TimeoutError as error:
                await self._kill()
                message = f"{url} took longer than {self._settings.crawl_timeout_s:g} s (FLOWCHAT_CRAWL_TIMEOUT_S)."
                raise FlowChatError("render_timeout", message, status=504) from error
            except BaseException:
                await self._kill()
                raise

    async def _kill(self) -> None:
        browser, self._browser = self._browser, None
        if browser is not None:
            await browser.kill()

    async def _render(self, url: str, headers: Mapping[str, str]) -> str:
        proxy = await self._started_proxy()
        browser = await self._started_browser(proxy)
        proxy.allow_bytes(MAX_TRANSFER_BYTES)
        created = await browser.call("Target.createTarget", url="about:blank", browserContextId=self._context)
        page = _Page(browser, created["targetId"], url, headers, proxy.password)
        await page.open()
        await page.settle(self._settings.crawl_timeout_s * SETTLE_SHARE)
        if proxy.is_exhausted:
            raise FlowChatError("fetch_too_large", f"{url} transfers more than {MAX_TRANSFER_BYTES} bytes.", status=502)
        html = await page.html(self._settings.crawl_max_bytes)
        await browser.call("Target.closeTarget", targetId=created["targetId"])
        return html

    async def _started_proxy(self) -> Proxy:
        if self._proxy is None:
            self._proxy = Proxy(self._settings)
            await self._proxy.start()
        return self._proxy

    async def _started_browser(self, proxy: Proxy) -> Browser:
        if self._browser is None:
            self._browser = await Browser.launch(
                self._settings.renderer,
                proxy=f"http://127.0.0.1:{proxy.port}",
                user_agent=self._settings.user_agent,
                max_message_bytes=_JSON_BYTES_PER_CHAR * self._settings.crawl_max_bytes + 1_000_000,
            )
            # Keeps what pages store in memory, and forgets it.
            created = await self._browser.call("Target.createBrowserContext", disposeOnDetach=True)
            self._context = created["browserContextId"]
            await self._browser.call("Browser.setDownloadBehavior", behavior="deny", browserContextId=self._context)
        return self._browser


class _Page:
    """One page in a tab of its own: decides on every request that it makes, and sees when it is done."""

    def __init__(self, browser: Browser, target: str, url: str, headers: Mapping[str, str], password: str) -> None:
        self._browser = browser
        self._target = target  # also the id of the main frame
        self._session = ""
        self._url = url
        self._headers = headers
        self._password = password
        self._status = 0
        self._open_requests: set[str] = set()
        self._requests = 0
        self._documents = 0

    async def open(self) -> None:
        """Begin to load the page. Raises FlowChatError `render_failed`."""
        attached = await self._browser.call("Target.attachToTarget", targetId=self._target, flatten=True)
        self._session = attached["sessionId"]
        self._browser.on_event = self._on_event
        await self._call("Page.enable")
        await self._call("Network.enable")
        await self._call("Network.setBypassServiceWorker", bypass=True)  # nothing between a request and `_decide`
        await self._call("Fetch.enable", handleAuthRequests=True)
        await self._call("Emulation.setDeviceMetricsOverride", **VIEWPORT)
        navigated = await self._call("Page.navigate", url=self._url)
        if "errorText" in navigated:
            raise self._failure(f"could not be loaded: {navigated['errorText']}")

    async def settle(self, max_s: float) -> None:
        """Wait until nothing changes any more, but not longer than `max_s`."""
        clock = asyncio.get_running_loop().time
        start = changed_at = busy_at = clock()
        state: Any = None
        while clock() - start < max_s:
            await asyncio.sleep(LOOK_S)
            former, state = state, await self._state()
            if state is None or state != former or state[0] == "loading":
                changed_at = clock()
            if self._open_requests or state is None or state[2] < FEW_CHARS:
                busy_at = clock()
            if clock() - max(changed_at, busy_at) >= QUIET_S or clock() - changed_at >= LONG_QUIET_S:
                return

    async def html(self, max_bytes: int) -> str:
        """The DOM. Raises FlowChatError `render_failed` or `fetch_too_large`."""
        if not 200 <= self._status < 300:
            raise self._failure(f"answered {self._status}.")
        html = await self._evaluate(f"{_SERIALISE}({json.dumps(self._url)}, {max_bytes})")
        if html is None or len(html.encode("utf-8", "replace")) > max_bytes:
            message = f"{self._url} is larger than {max_bytes} bytes when rendered (FLOWCHAT_CRAWL_MAX_BYTES)."
            raise FlowChatError("fetch_too_large", message, status=502)
        return str(html)

    async def _state(self) -> Any:
        """The state of the page; None while one document replaces another."""
        try:
            return await self._evaluate(_STATE)
        except FlowChatError:
            if not self._browser.is_running:
                raise
            return None

    async def _evaluate(self, expression: str) -> Any:
        """Run a script beside those of the page, which can't have tampered with what it uses."""
        world = await self._call("Page.createIsolatedWorld", frameId=self._target, worldName="flowchat")
        context = world["executionContextId"]
        answer = await self._call("Runtime.evaluate", expression=expression, contextId=context, returnByValue=True)
        if "exceptionDetails" in answer:
            raise self._failure(f"could not be read: {answer['exceptionDetails']['text']}")
        return answer["result"].get("value")

    async def _call(self, method: str, **params: Any) -> Message:
        return await self._browser.call(method, self._session, **params)

    def _failure(self, what: str) -> FlowChatError:
        return FlowChatError("render_failed", f"{self._url} {what}", status=502)

    def _on_event(self, session: str, name: str, params: Message) -> None:
        if session != self._session:
            return
        match name:
            case "Fetch.requestPaused":
                self._decide(params)
            case "Fetch.authRequired":
                self._sign_in(params)
            case "Network.requestWillBeSent":
                self._open_requests.add(params["requestId"])
            case "Network.loadingFinished" | "Network.loadingFailed":
                self._open_requests.discard(params["requestId"])
            case "Network.responseReceived" if params["type"] == "Document" and params["frameId"] == self._target:
                self._status = params["response"]["status"]
            case "Inspector.targetCrashed":
                self._browser.give_up("The page crashed it.")
            case "Page.javascriptDialogOpening":
                self._send("Page.handleJavaScriptDialog", accept=False)

    def _decide(self, paused: Message) -> None:
        """Let a request go on, with the source's own headers where they belong, or end it."""
        request, kind = paused["request"], paused["resourceType"]
        is_own = _origin(request["url"]) == _origin(self._url)
        is_document = kind == "Document"
        self._requests += 1
        self._documents += is_document
        # No frames: their text is not in the page's HTML. Nowhere else: that would be another site's text.
        leads_away = is_document and not (is_own and paused["frameId"] == self._target)
        is_too_much = self._requests > MAX_REQUESTS or self._documents > MAX_DOCUMENTS
        if kind in _UNNEEDED or leads_away or is_too_much:
            # "Aborted" leaves the present document where it is; other reasons would replace it by an error page.
            self._send("Fetch.failRequest", requestId=paused["requestId"], errorReason="Aborted")
        elif is_own and self._headers:
            ours = {name.lower() for name in self._headers}
            kept = {name: value for name, value in request["headers"].items() if name.lower() not in ours}
            headers = [{"name": name, "value": value} for name, value in {**kept, **self._headers}.items()]
            self._send("Fetch.continueRequest", requestId=paused["requestId"], headers=headers)
        else:
            self._send("Fetch.continueRequest", requestId=paused["requestId"])

    def _sign_in(self, asked: Message) -> None:
        """Only our proxy gets an answer: a site has been given its headers already."""
        answer = {"response": "CancelAuth"}
        if asked["authChallenge"].get("source") == "Proxy":
            answer = {"response": "ProvideCredentials", "username": USER, "password": self._password}
        self._send("Fetch.continueWithAuth", requestId=asked["requestId"], authChallengeResponse=answer)

    def _send(self, method: str, **params: Any) -> None:
        self._browser.send(method, self._session, **params)


def _origin(url: str) -> str:
    """Scheme, host and port; '' for what is no URL."""
    try:
        return str(URL(url).origin)
    except ValueError:
        return ""
