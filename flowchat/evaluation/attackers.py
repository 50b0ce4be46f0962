"""Clients that mean ill, and visitors who don't: `python -m flowchat.evaluation.attackers`, a plan as a line on stdin.

It prints a line once its connections stand, keeps them until its stdin ends, and prints what became of them. They come
from addresses of loopback that are not the visitors', so that no limit of an address spares the appliance the crowd.
"""

import asyncio
import json
import socket
import struct
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field

from flowchat.evaluation import load
from flowchat.net.appliance import chat_client

ADDRESSES_FROM = 2  # 127.0.0.2 is the first
OF_ONE_ADDRESS = 100
AT_ONCE = 100  # connections that are being made
PAGES = ("/", "/docs", "/v1.js", "/docs/overview", "/openapi.json")
PAUSE_S = 0.25  # of a visitor, between two pages
QUESTION_PAUSE_S = 1.0
UPLOAD_BYTES = 4_000_000
PIPELINED = 100  # requests of a reader that reads nothing
DRIP_S = 1.0
LARGE_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """`kind` is of an attack, or "visitors", who ask the `questions`; `question` is what attackers ask."""

    kind: str
    host: str
    port: int
    key: str
    question: str
    count: int
    questions: tuple[str, ...] = ()


@dataclass(slots=True)
class Outcome:
    """`told`: what was answered (a status, "cut", "nothing") and how often; the times are of visitors, in seconds."""

    told: dict[str, int] = field(default_factory=dict)
    longest_s: float = 0.0  # that a connection stood before it was cut
    pages_s: list[float] = field(default_factory=list)
    first_texts_s: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def tell(self, what: str) -> None:
        self.told[what] = self.told.get(what, 0) + 1


class _Crowd:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.outcome = Outcome()
        self.over = asyncio.Event()
        self._connecting = asyncio.Semaphore(AT_ONCE)

    async def connect(self, number: int, receive_bytes: int = 0) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        sock = socket.socket()
        sock.setblocking(False)
        sock.bind((f"127.0.0.{ADDRESSES_FROM + number // OF_ONE_ADDRESS % 200}", 0))
        if receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        async with self._connecting:
            await asyncio.get_running_loop().sock_connect(sock, (self.plan.host, self.plan.port))
        return await asyncio.open_connection(sock=sock, limit=receive_bytes or 65536)

    def head(self, line: str, *more: str) -> bytes:
        return "\r\n".join([f"{line} HTTP/1.1", "Host: attacked.test", *more, "", ""]).encode()

    def question(self, name: str) -> bytes:
        body = json.dumps({"query": self.plan.question}).encode()
        headers = (f"X-FlowChat-Key: {self.plan.key}", "Content-Type: application/json", f"Content-Length: {len(body)}")
        return self.head("POST /v1/chat", *headers, f"Idempotency-Key: {name}") + body

    async def until_cut(self, reader: asyncio.StreamReader, began: float) -> None:
        """Note how long it took until the other side ended it, if it did before the attack is over."""
        reading = asyncio.ensure_future(reader.read())
        over = asyncio.ensure_future(self.over.wait())
        await asyncio.wait([reading, over], return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        if not reading.done():
            reading.cancel()
            self.outcome.tell("still open")
            return
        self.outcome.longest_s = max(self.outcome.longest_s, time.perf_counter() - began)
        answer = b"" if reading.exception() else reading.result()
        self.outcome.tell(_status(answer) or "cut")


async def _idle(crowd: _Crowd, number: int) -> None:
    """A reader of an answer that is long in the making: all read the same one."""
    reader, writer = await crowd.connect(number)
    writer.write(crowd.question(f"held-{crowd.plan.kind}"))
    status = _status(await reader.readline())
    if status != "200":
        crowd.outcome.tell(status)
        return
    while not (await reader.readline()).startswith(b"data:"):
        pass
    crowd.outcome.tell("reads")
    _stands()
    await crowd.over.wait()
    crowd.outcome.tell("cut" if reader.at_eof() else "still open")
    writer.close()


async def _stalled(crowd: _Crowd, number: int) -> None:
    """It asks for much, or for a stream, and reads nothing."""
    _, writer = await crowd.connect(number, receive_bytes=4096)
    asked = crowd.question(f"held-{crowd.plan.kind}") if number % 2 else crowd.head("GET /openapi.json") * PIPELINED
    began = time.perf_counter()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(asked)
    _stands()
    while not crowd.over.is_set():
        with suppress(OSError):
            async with asyncio.timeout(0.5):
                await crowd.over.wait()
        if _is_reset(writer):
            crowd.outcome.tell("cut")
            crowd.outcome.longest_s = max(crowd.outcome.longest_s, time.perf_counter() - began)
            return
    crowd.outcome.tell("still open")
    writer.transport.abort()


async def _abort(crowd: _Crowd, number: int) -> None:
    """Connect, ask or begin to, and vanish."""
    _stands()
    try:
        _, writer = await crowd.connect(number)
    except OSError:
        crowd.outcome.tell("not connected")
        return
    match number % 4:
        case 0:
            writer.write(crowd.head("GET /openapi.json"))
        case 1:
            writer.write(crowd.head("GET /", "X-Begun: ")[:-4])
        case 2:
            writer.write(crowd.question(f"aborted-{number % 40}")[: -10 if number % 8 == 2 else None])
    await asyncio.sleep(0.001 * (number % 20))
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    crowd.outcome.tell("aborted")


async def _slow_head(crowd: _Crowd, number: int) -> None:
    """A header, a byte a second."""
    reader, writer = await crowd.connect(number)
    writer.write(crowd.head("GET /", "X-Slow: ")[:-4])
    await _drip(crowd, reader, writer)


async def _slow_body(crowd: _Crowd, number: int) -> None:
    """A question, a byte a second."""
    reader, writer = await crowd.connect(number)
    key = f"X-FlowChat-Key: {crowd.plan.key}"
    writer.write(crowd.head("POST /v1/chat", key, "Content-Type: application/json", "Content-Length: 60000"))
    await _drip(crowd, reader, writer)


async def _drip(crowd: _Crowd, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async def drip() -> None:
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(DRIP_S)

    _stands()
    dripping = asyncio.create_task(drip())
    await crowd.until_cut(reader, time.perf_counter())
    dripping.cancel()
    writer.transport.abort()


async def _large(crowd: _Crowd, number: int) -> None:
    """A large upload by nobody."""
    reader, writer = await crowd.connect(number)
    token = "Authorization: Bearer fca_nobodys" if number % 2 else "X-Nobody: yes"
    kind = "Content-Type: multipart/form-data; boundary=x"
    line = "POST /v1/sources/docs/documents" if number % 3 else "POST /v1/chat"
    writer.write(crowd.head(line, token, kind, f"Content-Length: {UPLOAD_BYTES}"))
    _stands()
    try:
        async with asyncio.timeout(LARGE_TIMEOUT_S):
            sending = asyncio.create_task(_send(writer))
            crowd.outcome.tell(_status(await reader.readline()) or "cut")
            sending.cancel()
    except TimeoutError:
        crowd.outcome.tell("nothing")
    except OSError:
        crowd.outcome.tell("cut")
    writer.transport.abort()


async def _send(writer: asyncio.StreamWriter) -> None:
    part = b"x" * 65536
    with suppress(OSError):
        for _ in range(UPLOAD_BYTES // len(part) + 1):
            writer.write(part)
            await writer.drain()


_ATTACKS: dict[str, Callable[[_Crowd, int], Awaitable[None]]] = {
    "idle": _idle,
    "stalled": _stalled,
    "abort": _abort,
    "slow_head": _slow_head,
    "slow_body": _slow_body,
    "large": _large,
}


async def _attack(crowd: _Crowd) -> None:
    attack = _ATTACKS[crowd.plan.kind]
    places = asyncio.Semaphore(AT_ONCE if crowd.plan.kind == "abort" else crowd.plan.count)

    async def one(number: int) -> None:
        async with places:
            try:
                await attack(crowd, number)
            except (OSError, asyncio.IncompleteReadError) as error:
                crowd.outcome.tell(f"failed: {type(error).__name__}")
                _stands()

    first = asyncio.create_task(one(0))
    if crowd.plan.kind in ("idle", "stalled"):
        await asyncio.sleep(1.0)  # the answer that all read is begun by one
    await asyncio.gather(first, *(one(number) for number in range(1, crowd.plan.count)))


async def _visit(crowd: _Crowd) -> None:
    """Half of the visitors browse, half ask."""
    plan, outcome = crowd.plan, crowd.outcome
    url = f"http://{plan.host}:{plan.port}"

    async def browse(number: int) -> None:
        while not crowd.over.is_set():
            path = PAGES[(number + len(outcome.pages_s)) % len(PAGES)]
            began = time.perf_counter()
            try:
                reader, writer = await asyncio.open_connection(plan.host, plan.port)
                writer.write(crowd.head(f"GET {path}", "Connection: close"))
                async with asyncio.timeout(30):
                    answer = await reader.read()
                writer.close()
                if _status(answer) != "200":
                    outcome.errors.append(f"{path}: {_status(answer) or 'nothing'}")
            except OSError as error:
                outcome.errors.append(f"{path}: {type(error).__name__}")
            outcome.pages_s.append(time.perf_counter() - began)
            await asyncio.sleep(PAUSE_S)

    async def ask(number: int) -> None:
        async with chat_client(url, plan.key, []) as client:
            while not crowd.over.is_set():
                question = plan.questions[(number + len(outcome.first_texts_s)) % len(plan.questions)]
                timed = await load.ask(client, question)
                if timed.code or timed.first_text_s is None:
                    outcome.errors.append(f"a question: {timed.code or 'no text'}")
                else:
                    outcome.first_texts_s.append(timed.first_text_s)
                await asyncio.sleep(QUESTION_PAUSE_S)

    await asyncio.gather(*((browse if number % 2 else ask)(number) for number in range(plan.count)))


_standing = 0
_wanted = 0


def _stands() -> None:
    """One connection more has done what it came for; all of them: say so."""
    global _standing
    _standing += 1
    if _standing == _wanted:
        print("stands", flush=True)


def _is_reset(writer: asyncio.StreamWriter) -> bool:
    sock: socket.socket = writer.get_extra_info("socket")
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    except OSError:
        return True
    return info[0] in (7, 8)  # TCP_CLOSE, TCP_CLOSE_WAIT


def _status(answer: bytes) -> str:
    return answer[9:12].decode("ascii", "replace") if answer.startswith(b"HTTP/1.1 ") else ""


async def _main(plan: Plan) -> Outcome:
    crowd = _Crowd(plan)
    working = asyncio.create_task(_visit(crowd) if plan.kind == "visitors" else _attack(crowd))
    await asyncio.to_thread(sys.stdin.read)
    crowd.over.set()
    await working
    return crowd.outcome


if __name__ == "__main__":
    plan = Plan(**json.loads(sys.stdin.readline()))
    _wanted = plan.count
    print(json.dumps(asdict(asyncio.run(_main(plan)))))
