"""Fetches of pages that are damaged, too large or too slow: each ends in bounds, with a code of its own."""

import asyncio
import gzip
import zlib
from collections.abc import Callable
from contextlib import aclosing

import brotli
import pytest
import zstandard
from loopback import Reader, Writer, answer, failure, fetch, redirect, serving, settings

from flowchat.errors import FlowChatError
from flowchat.net.fetch import Fetcher

PAGE = b"<p>Hello</p>" * 100


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(PAGE)),
        ("deflate", zlib.compress(PAGE)),
        ("br", brotli.compress(PAGE)),
        ("zstd", zstandard.compress(PAGE)),
        ("gzip, br", brotli.compress(gzip.compress(PAGE))),
    ],
)
async def test_decompression(encoding: str, body: bytes) -> None:
    async with serving() as server, aclosing(Fetcher(settings())) as fetcher:
        server.answers["/"] = answer(body, content_encoding=encoding)
        assert (await fetcher.fetch(server.url)).body == PAGE
        assert (fetcher.bodies, fetcher.bytes) == (1, len(body))
        server.answers["/"] = answer(body[:-1], content_encoding=encoding)
        with pytest.raises(FlowChatError) as caught:
            await fetcher.fetch(server.url)
    assert caught.value.code == "fetch_failed"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "compress"])
async def test_compression_that_is_none(encoding: str) -> None:
    async with serving() as server:
        server.answers["/"] = answer(PAGE, content_encoding=encoding)
        assert await failure(server.url) == "fetch_failed"


async def test_size_limit() -> None:
    async with serving() as server:
        server.answers |= {"/fits": answer(b"x" * 100_000), "/large": answer(b"x" * 100_001)}
        server.answers["/packed"] = answer(gzip.compress(b"x" * 100_000), content_encoding="gzip")
        server.answers["/bomb"] = answer(gzip.compress(bytes(100_001)), content_encoding="gzip")
        assert len((await fetch(server.url + "/fits")).body) == 100_000
        assert len((await fetch(server.url + "/packed")).body) == 100_000
        assert await failure(server.url + "/large") == "fetch_too_large"
        assert await failure(server.url + "/bomb") == "fetch_too_large"


async def endless(writer: Writer, piece: Callable[[], bytes]) -> None:
    while True:
        writer.write(piece())
        await writer.drain()
        await asyncio.sleep(0)  # drain() alone lets nobody else run while the buffer has room


async def test_a_page_without_end() -> None:
    async def connection(_reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await endless(writer, lambda: b"x" * 1000)

    async with serving(connection) as server:
        assert await failure(server.url) == "fetch_too_large"


async def test_a_gzip_bomb_without_end() -> None:
    async def connection(_reader: Reader, writer: Writer) -> None:
        packer = zlib.compressobj(9, wbits=31)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
        await endless(writer, lambda: packer.compress(bytes(50_000)) + packer.flush(zlib.Z_SYNC_FLUSH))

    async with serving(connection) as server:
        assert await failure(server.url) == "fetch_too_large"


async def test_compressed_nothing_without_end() -> None:
    async def connection(_reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"")[:10])
        await endless(writer, lambda: b"\0\0\0\xff\xff" * 1000)  # stored blocks of length 0

    async with serving(connection) as server:
        assert await failure(server.url) == "fetch_too_large"


async def test_silence_times_out() -> None:
    async def connection(reader: Reader, _writer: Writer) -> None:
        await reader.read()

    async with serving(connection) as server:
        assert await failure(server.url, settings(timeout_s=0.2)) == "fetch_timeout"


async def test_dripping_times_out() -> None:
    async def connection(_reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.01)

    async with serving(connection) as server:
        assert await failure(server.url, settings(timeout_s=0.3)) == "fetch_timeout"


@pytest.mark.parametrize("drop", [b"X", b"X-A: 1\r\n"])
async def test_a_dripping_head_times_out(drop: bytes) -> None:
    async def connection(_reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not writer.is_closing():
            writer.write(drop)
            await asyncio.sleep(0.01)

    async with serving(connection) as server:
        assert await failure(server.url, settings(timeout_s=0.3)) == "fetch_timeout"


async def test_announcements_without_an_answer_time_out() -> None:
    async def connection(_reader: Reader, writer: Writer) -> None:
        await endless(writer, lambda: b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 10)

    async with serving(connection) as server:
        assert await failure(server.url, settings(timeout_s=0.3)) == "fetch_timeout"


async def test_the_time_limit_covers_all_redirects() -> None:
    async def connection(reader: Reader, writer: Writer) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            await asyncio.sleep(0.2)
            writer.write(redirect("/"))

    async with serving(connection) as server:
        assert await failure(server.url, settings(timeout_s=0.5)) == "fetch_timeout"


async def test_a_fetcher_works_on_after_failures() -> None:
    async def connection(reader: Reader, _writer: Writer) -> None:
        await reader.read()

    fetcher = Fetcher(settings(timeout_s=0.2))
    async with serving(connection) as silent, serving() as server, aclosing(fetcher):
        for _ in range(12):  # more than the pool has connections
            with pytest.raises(FlowChatError):
                await fetcher.fetch(silent.url)
        assert (await fetcher.fetch(server.url)).status == 404


@pytest.mark.parametrize(
    "sent",
    [
        answer(PAGE)[:-10],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nContent-",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 50_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: " + b"1" * 1_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X-A: 1\r\n" * 50_000 + b"\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
)
async def test_cut_off_or_not_http(sent: bytes) -> None:
    async def connection(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        await writer.drain()

    async with serving(connection) as server:
        assert await failure(server.url) == "fetch_failed"


async def test_connection_refused() -> None:
    async with serving() as server:
        pass
    assert await failure(server.url) == "fetch_failed"
