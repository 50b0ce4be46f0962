"""The generator that asks an OpenAI-compatible server, against one on loopback."""

import asyncio
import json
from contextlib import aclosing

import pytest
from loopback import Connection, Reader, Writer, answer, serving

from flowchat.engines.generator_openai import OpenAIGenerator
from flowchat.engines.protocols import GenerationUsage
from flowchat.errors import ModelError
from flowchat.net import openai_stream
from flowchat.net.openai_stream import stream_chat

CHUNKS = [
    {"choices": [{"delta": {"role": "assistant", "content": None}}]},
    {"choices": [{"delta": {"content": "Hel"}}]},
    {"choices": [{"delta": {"content": "lo"}}]},
    {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}},
]
STREAM = answer("".join(f"data: {json.dumps(chunk)}\n\n" for chunk in CHUNKS).encode() + b": hb\n\ndata: [DONE]\n\n")
PATH = "/v1/chat/completions"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"  # ended by hanging up
HELLO = b'data: {"choices": [{"delta": {"content": "Hello"}}]}\n\n'


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_stream, "RETRY_PAUSES_S", (0.0, 0.0))


def saying(*parts: bytes, pause_s: float = 0, hangs: bool = False) -> Connection:
    """A server that sends the parts, with a pause before each, and then hangs up, or never does."""

    async def say(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            await asyncio.sleep(pause_s)
            writer.write(part)
            await writer.drain()
        if hangs:
            await asyncio.Event().wait()

    return say


async def failure(connection: Connection) -> tuple[ModelError, int]:
    """How an answer of that server fails, and how often it was asked."""
    async with serving(connection) as server:
        with pytest.raises(ModelError) as caught:
            await write(server.url, GenerationUsage())
        return caught.value, server.connections


async def write(url: str, usage: GenerationUsage) -> str:
    generator = OpenAIGenerator("m", f"{url}/v1", "secret", stream_chat)
    pieces = generator.generate([{"role": "user", "content": "Hi"}], max_tokens=9, usage=usage)
    return "".join([piece async for piece in pieces])


async def test_it_streams_and_counts() -> None:
    usage = GenerationUsage()
    async with serving() as server:
        server.answers[PATH] = STREAM
        assert await write(server.url, usage) == "Hello"
    assert (usage.tokens_in, usage.tokens_out) == (7, 2)
    assert "authorization: bearer secret" in server.requests[0].lower()


@pytest.mark.parametrize(
    ("status", "code", "says", "tries"),
    [
        ("401 Unauthorized", "generator_refused", "FLOWCHAT_GENERATOR_API_KEY", 1),
        ("404 Not Found", "generator_refused", "check model and URL", 1),
        ("400 Bad Request", "generator_refused", "too long", 1),
        ("302 Found", "generator_refused", "answered 302", 1),
        ("429 Too Many Requests", "generator_unreachable", "overloaded", 3),
        ("500 Internal Server Error", "generator_unreachable", "overloaded", 3),
        ("503 Service Unavailable", "generator_unreachable", "overloaded", 3),
    ],
)
async def test_refusals_say_what_to_do(status: str, code: str, says: str, tries: int) -> None:
    async with serving() as server:
        server.answers[PATH] = answer(b"too long", status=status)
        with pytest.raises(ModelError, match=says) as caught:
            await write(server.url, GenerationUsage())
    assert caught.value.code == code
    assert len(server.requests) == tries


@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
async def test_a_redirect_gets_neither_key_nor_prompt(status: str) -> None:
    async with serving() as server, serving() as elsewhere:
        elsewhere.answers[PATH] = STREAM
        server.answers[PATH] = answer(status=status, location=elsewhere.url + PATH)
        with pytest.raises(ModelError) as caught:
            await write(server.url, GenerationUsage())
        assert caught.value.code == "generator_refused" and elsewhere.connections == 0


async def test_unreachable_server() -> None:
    with pytest.raises(ModelError, match="cannot be reached") as caught:
        await write("http://127.0.0.1:1", GenerationUsage())
    assert caught.value.code == "generator_unreachable"


async def test_stream_that_breaks_off_is_not_retried() -> None:
    async def breaks_off(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(STREAM[:-20])
        await writer.drain()

    async with serving(breaks_off) as server:
        with pytest.raises(ModelError, match="broke off") as caught:
            await write(server.url, GenerationUsage())
        assert server.connections == 1
    assert caught.value.code == "generation_failed"


async def test_error_inside_the_stream() -> None:
    async with serving() as server:
        server.answers[PATH] = answer(b'data: {"error": {"message": "out of memory"}}\n\n')
        with pytest.raises(ModelError, match="out of memory"):
            await write(server.url, GenerationUsage())


async def test_what_servers_leave_out_is_tolerated() -> None:
    chunks = [
        {"choices": None, "error": None},
        {"choices": []},
        {"choices": [{}]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"content": "a\u2028b\u0085c"}}], "usage": None},
        {"usage": {"prompt_tokens": None}},
    ]
    body = "".join(f"data: {json.dumps(chunk, ensure_ascii=False)}\r\n\r\n" for chunk in chunks)
    usage = GenerationUsage()
    async with serving() as server:
        server.answers[PATH] = answer(body.encode() + b"data: [DONE]")
        assert await write(server.url, usage) == "a\u2028b\u0085c"
    assert (usage.tokens_in, usage.tokens_out) == (0, 1)


@pytest.mark.parametrize("data", ["[]", "{", '{"choices": 1}', '{"choices": [1]}', '{"choices": [{"delta": "a"}]}'])
async def test_malformed_chunks(data: str) -> None:
    async with serving() as server:
        server.answers[PATH] = answer(f"data: {data}\n\n".encode())
        with pytest.raises(ModelError, match="The generator sent") as caught:
            await write(server.url, GenerationUsage())
    assert caught.value.code == "generation_failed"


async def test_it_is_asked_again_after_429() -> None:
    answers = [answer(status="429 Too Many Requests", retry_after="0"), STREAM]

    async def recover(reader: Reader, writer: Writer) -> None:
        await saying(answers.pop(0))(reader, writer)

    async with serving(recover) as server:
        assert await write(server.url, GenerationUsage()) == "Hello"
        assert server.connections == 2


async def test_retry_after_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_stream, "RETRY_PAUSES_S", (60.0,))  # what is waited for without it
    async with serving() as server:
        server.answers[PATH] = answer(status="503 Service Unavailable", retry_after="0")
        with pytest.raises(ModelError, match="overloaded"):
            await write(server.url, GenerationUsage())
        assert len(server.requests) == 2


async def test_long_retry_after_is_not_waited_for() -> None:
    async with serving() as server:
        server.answers[PATH] = answer(status="429 Too Many Requests", retry_after="3600")
        with pytest.raises(ModelError, match="overloaded"):
            await write(server.url, GenerationUsage())
        assert len(server.requests) == 1


async def test_server_that_hangs_up_is_asked_again() -> None:
    error, connections = await failure(saying())
    assert (error.code, connections) == ("generator_unreachable", 3)


async def test_slow_first_byte() -> None:
    async with serving(saying(STREAM, pause_s=0.3)) as server:
        assert await write(server.url, GenerationUsage()) == "Hello"


@pytest.mark.parametrize("parts", [(), (HEAD,), (HEAD, HELLO)])
async def test_silence_is_not_waited_out_or_tried_again(
    parts: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_stream, "SILENCE_TIMEOUT_S", 0.2)
    error, connections = await failure(saying(*parts, hangs=True))
    assert (error.code, connections) == ("generation_failed", 1)
    assert "silent" in error.message


async def test_endless_drip_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_stream, "TOTAL_TIMEOUT_S", 0.3)
    error, connections = await failure(saying(HEAD, *[b": hb\n\n"] * 1000, pause_s=0.05))
    assert (error.code, connections) == ("generation_failed", 1)
    assert "took longer" in error.message


async def test_pauses_count_as_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_stream, "TOTAL_TIMEOUT_S", 0.2)
    monkeypatch.setattr(openai_stream, "RETRY_PAUSES_S", (60.0,))
    error, _ = await failure(saying())
    assert "took longer" in error.message


@pytest.mark.parametrize("body", [HELLO, b"", b"<html>Welcome</html>", HELLO + b"data"])
async def test_stream_without_an_end(body: bytes) -> None:
    error, connections = await failure(saying(HEAD + body))
    assert (error.code, connections) == ("generation_failed", 1)
    assert "no end" in error.message


async def test_finish_reason_is_an_end() -> None:
    end = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'
    async with serving(saying(HEAD + HELLO + end)) as server:
        assert await write(server.url, GenerationUsage()) == "Hello"


async def test_huge_line(monkeypatch: pytest.MonkeyPatch) -> None:
    error, _ = await failure(saying(HEAD, b"data: " + b"x" * (openai_stream.MAX_LINE_BYTES + 1), hangs=True))
    assert (error.code, "sent too much" in error.message) == ("generation_failed", True)


async def test_endless_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_stream, "MAX_ANSWER_BYTES", 50_000)
    error, _ = await failure(saying(HEAD, *[HELLO] * 2000, hangs=True))
    assert "sent too much" in error.message


async def test_huge_error_body_is_read_only_at_its_beginning() -> None:
    head = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    error, _ = await failure(saying(head, b"too long " * 1000, hangs=True))
    assert error.code == "generator_refused" and len(error.message) < 500


@pytest.mark.parametrize("by_cancelling", [False, True])
async def test_whoever_stops_hangs_up(by_cancelling: bool) -> None:
    hung_up = asyncio.Event()

    async def say(reader: Reader, writer: Writer) -> None:
        await saying(HEAD, HELLO)(reader, writer)
        while await reader.read(1000):
            pass
        hung_up.set()

    async with serving(say) as server:
        generator = OpenAIGenerator("m", f"{server.url}/v1", "", stream_chat)
        pieces = generator.generate([{"role": "user", "content": "Hi"}], max_tokens=9, usage=GenerationUsage())
        async with aclosing(pieces):  # type: ignore[type-var]
            assert await anext(pieces) == "Hello"
            if by_cancelling:
                waiting = asyncio.ensure_future(anext(pieces))
                await asyncio.sleep(0.05)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
        await asyncio.wait_for(hung_up.wait(), 5)
