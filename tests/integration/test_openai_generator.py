"""The generator that asks an OpenAI-compatible server, against one on loopback."""

import json
from contextlib import aclosing

import pytest
from loopback import Reader, Writer, answer, serving

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


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_stream, "RETRY_PAUSES_S", (0.0, 0.0))


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


async def test_closing_hangs_up() -> None:
    async with serving() as server:
        server.answers[PATH] = STREAM
        generator = OpenAIGenerator("m", f"{server.url}/v1", "", stream_chat)
        pieces = generator.generate([{"role": "user", "content": "Hi"}], max_tokens=9, usage=GenerationUsage())
        async with aclosing(pieces):  # type: ignore[type-var]
            assert await anext(pieces) == "Hel"
