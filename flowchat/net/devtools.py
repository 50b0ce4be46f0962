"""A headless Chromium of our own, driven by the DevTools protocol over a pipe (no port that others could use).

Protocol: https://chromedevtools.github.io/devtools-protocol/; over a pipe, each message is JSON that ends with a NUL.
"""

import asyncio
import functools
import json
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from flowchat.errors import FlowChatError

CLOSE_TIMEOUT_S = 3.0
POLL_S = 0.02
MAX_LOG_CHARS = 500
PROFILE_PREFIX = "flowchat-renderer-"
MAX_DATA_KB = 1_000_000  # writable memory of one process of the browser: a page can't use up the machine
NICENESS = 10  # a chat goes first

# The browser reads commands from descriptor 3 and writes answers to 4. Its limit of memory is missing where the system
# has none.
_START = f'exec 3<&0 4>&1 </dev/null >/dev/null; ulimit -d {MAX_DATA_KB} 2>/dev/null; exec nice -n {NICENESS} "$@"'
_FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-gpu",
    "--mute-audio",
    "--no-first-run",
    "--no-default-browser-check",
    "--password-store=basic",
    # Nothing that no page asked for.
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--disable-features=OptimizationHints,MediaRouter,DialMediaRouteProvider,Translate,AutofillServerCommunication,"
    "PrefetchPrivacyChanges,Prerender2",
    "--metrics-recording-only",
    "--no-pings",
    "--no-service-autorun",
    # No way around the proxy: no name is looked up here, nothing goes over UDP.
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-quic",
    "--dns-prefetch-disable",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",  # both spellings are in use
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--block-new-web-contents",
    "--deny-permission-prompts",
)

_log = logging.getLogger(__name__)

Message: TypeAlias = dict[str, Any]
OnEvent: TypeAlias = Callable[[str, str, Message], None]


class Browser:
    """A running Chromium, with a profile of its own that is deleted with it. Made by `launch`, ended by `aclose`.

    `on_event` gets the session, name and parameters of each event. All calls belong in one event loop.
    """

    def __init__(self, process: asyncio.subprocess.Process, profile: Path) -> None:
        self._process = process
        self._profile = profile
        self._answers: dict[int, asyncio.Future[Message]] = {}
        self._last_id = 0
        self._fault = ""
        self.on_event: OnEvent = lambda session, name, params: None
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def launch(cls, command: str, proxy: str, user_agent: str, max_message_bytes: int) -> "Browser":
        """Start Chromium (its name on PATH, or its path) behind a proxy ("http://host:port").

        Raises FlowChatError `render_failed` where there is none.
        """
        path = shutil.which(command)
        if path is None:
            raise FlowChatError(
                "render_failed", f"There is no program '{command}': set FLOWCHAT_RENDERER to a Chromium.", status=503
            )
        profile = Path(tempfile.mkdtemp(prefix=PROFILE_PREFIX))
        flags = [*_FLAGS, *_sandbox_flags(), f"--proxy-server={proxy}", f"--user-agent={user_agent}"]
        with (profile / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *("/bin/sh", "-c", _START, "sh", path, f"--user-data-dir={profile}", *flags),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(profile), "LANG": "C.UTF-8"},
                start_new_session=True,
                limit=max_message_bytes,
            )
        return cls(process, profile)

    @property
    def is_running(self) -> bool:
        """Whether commands still reach it."""
        return not self._reading.done()

    async def call(self, method: str, session: str = "", **params: Any) -> Message:
        """The result of a command. Raises FlowChatError `render_failed`: the browser refuses it, or has ended."""
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        number = self.send(method, session, **params)
        self._answers[number] = answer
        try:
            return await answer
        finally:
            del self._answers[number]

    def send(self, method: str, session: str = "", **params: Any) -> int:
        """Give a command without waiting for what becomes of it; returns its number."""
        if not self.is_running:
            raise self._ended()
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        assert self._process.stdin is not None  # noqa: S101 (it is a pipe)
        self._process.stdin.write(json.dumps(message).encode() + b"\0")
        return self._last_id

    def give_up(self, fault: str) -> None:
        """Listen no longer: whoever waits for an answer is told this."""
        self._fault = fault
        self._reading.cancel()

    async def aclose(self) -> None:
        """End the browser, kindly if it listens, and delete its profile."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self.call("Browser.close")
                await self._process.wait()
        except (TimeoutError, FlowChatError):
            pass
        finally:
            await self.kill()

    async def kill(self) -> None:
        """End the browser and whatever it started, at once, and delete its profile."""
        self._reading.cancel()
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._process.wait()
                while True:  # until the last of them is gone: it could still write
                    os.killpg(self._process.pid, 0)
                    await asyncio.sleep(POLL_S)
        except (ProcessLookupError, TimeoutError):
            pass
        finally:
            shutil.rmtree(self._profile, ignore_errors=True)

    async def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 (it is a pipe)
        try:
            while True:
                message = json.loads((await self._process.stdout.readuntil(b"\0"))[:-1])
                if "id" in message:
                    self._settle(message)
                else:
                    self.on_event(message.get("sessionId", ""), message["method"], message["params"])
        except asyncio.IncompleteReadError:
            pass
        except asyncio.LimitOverrunError:
            self._fault = "It said more than is read of it."
        finally:
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(self._ended())

    def _settle(self, message: Message) -> None:
        answer = self._answers.get(message["id"])
        if answer is None or answer.done():
            return
        if "error" in message:
            text = f"Chromium refused a command: {message['error']['message']}"
            answer.set_exception(FlowChatError("render_failed", text, status=502))
        else:
            answer.set_result(message["result"])

    def _ended(self) -> FlowChatError:
        fault = self._fault or _last_words(self._profile / "log")
        return FlowChatError("render_failed", f"Chromium has ended. {fault}".strip(), status=502)


def _last_words(log: Path) -> str:
    """What a browser wrote last, without its complaints about the desktop that a server doesn't have."""
    lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
    return "\n".join(line for line in lines if "dbus" not in line)[-MAX_LOG_CHARS:].strip()


def _sandbox_flags() -> list[str]:
    if os.geteuid() != 0:
        return []
    _warn_of_root()
    return ["--no-sandbox"]


@functools.cache
def _warn_of_root() -> None:
    _log.warning(
        "Chromium renders pages without its sandbox, because FlowChat runs as root: run FlowChat as another user."
    )
