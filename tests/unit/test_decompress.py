"""Compressed bodies: what browsers read is read, and neither damage nor bombs get far."""

import gzip
import os
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import httpcore
import pytest
import zstandard

from flowchat.errors import FlowChatError
from flowchat.net.decompress import MAX_MEMBERS, Body

TEXT = b"<p>Hello</p>" * 1000
LIMIT = 1_000_000
MEGABYTE = 1_048_576


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data)[2:-4]


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


PACKED = {
    "gzip": gzip.compress(TEXT),
    "deflate": zlib.compress(TEXT),
    "br": brotli.compress(TEXT),
    "zstd": zstd(TEXT),
}


def read(encodings: str, data: bytes, piece_bytes: int = 65_536) -> bytes:
    body = Body(encodings, LIMIT)
    for start in range(0, len(data), piece_bytes):
        body.feed(data[start : start + piece_bytes])
    assert body.wire_bytes == len(data)
    return body.finish()


@pytest.mark.parametrize("piece_bytes", [1, 7, 65_536])
@pytest.mark.parametrize(
    ("encodings", "data"),
    [
        *PACKED.items(),
        ("", TEXT),
        ("identity", TEXT),
        ("utf-8", TEXT),
        (" GZip ", PACKED["gzip"]),
        ("x-gzip", PACKED["gzip"]),
        ("deflate", raw_deflate(TEXT)),
        ("deflate, gzip", gzip.compress(PACKED["deflate"])),
        ("gzip, br", brotli.compress(PACKED["gzip"])),
        ("zstd,, identity, zstd", zstd(PACKED["zstd"])),
        ("gzip", gzip.compress(TEXT[:5000]) + gzip.compress(b"") + gzip.compress(TEXT[5000:])),
        ("gzip", PACKED["gzip"] + bytes(512)),
        ("gzip", PACKED["gzip"] + b"junk" + PACKED["gzip"]),
        ("deflate", PACKED["deflate"] + b"junk"),
        ("zstd", zstd(TEXT[:5000]) + b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstd(TEXT[5000:])),
    ],
)
def test_what_is_read(encodings: str, data: bytes, piece_bytes: int) -> None:
    assert read(encodings, data, piece_bytes) == TEXT


@pytest.mark.parametrize("encodings", [*PACKED, "gzip, br", "zstd, deflate"])
def test_nothing_is_nothing(encodings: str) -> None:
    assert read(encodings, b"") == b""


@pytest.mark.parametrize("encoding", PACKED)
def test_damage_and_missing_ends(encoding: str) -> None:
    packed = PACKED[encoding]
    for broken in (packed[:1], packed[:-1], packed[: len(packed) // 2], TEXT, packed[:10] + b"damage" + packed[16:]):
        with pytest.raises(httpcore.RemoteProtocolError):
            read(encoding, broken)
        with pytest.raises(httpcore.RemoteProtocolError):
            read(f"{encoding}, gzip", gzip.compress(broken))


@pytest.mark.parametrize("encodings", ["compress", "dcb", "gzip, exi", "gzip, gzip, gzip", ", ".join(["br"] * 1000)])
def test_encodings_that_were_not_offered(encodings: str) -> None:
    with pytest.raises(httpcore.RemoteProtocolError, match="not offered"):
        Body(encodings, LIMIT)


def test_a_window_beyond_what_browsers_have() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=24)
    packed = zstandard.ZstdCompressor(compression_params=parameters).compress(os.urandom(100) * 200_000)
    with pytest.raises(httpcore.RemoteProtocolError, match="memory"):
        read("zstd", packed)


@pytest.mark.parametrize(("encoding", "member"), [("gzip", gzip.compress(b"")), ("zstd", zstd(b""))])
def test_members_without_end(encoding: str, member: bytes) -> None:
    assert read(encoding, member * MAX_MEMBERS) == b""
    with pytest.raises(httpcore.RemoteProtocolError, match="parts"):
        read(encoding, member * (MAX_MEMBERS + 1))


def gzip_bomb() -> bytes:
    """10 MB that are 10 GB of zeros."""
    packer = zlib.compressobj(9, wbits=-15)
    piece = packer.compress(bytes(MEGABYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    return gzip.compress(b"")[:10] + piece * 10_000


@pytest.mark.parametrize(
    ("encodings", "make"),
    [
        ("gzip", gzip_bomb),
        ("gzip, gzip", lambda: gzip.compress(gzip_bomb())),
        ("br", lambda: brotli.compress(bytes(100 * MEGABYTE), quality=5)),
        ("zstd", lambda: zstd(bytes(100 * MEGABYTE))),
        ("zstd", lambda: zstd(b"") + b"\x28\xb5\x2f\xfd\x00\x58" + b"\x02\x00\x10\x00" * 200_000),  # blocks of 128 KB
        ("br, gzip", lambda: gzip.compress(brotli.compress(bytes(100 * MEGABYTE), quality=5))),
    ],
)
def test_bombs_end_at_the_limit(encodings: str, make: Callable[[], bytes]) -> None:
    bomb = make()
    tracemalloc.start()
    try:
        with pytest.raises(FlowChatError) as caught:
            read(encodings, bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.code == "fetch_too_large"
    assert peak < 12 * MEGABYTE


@pytest.mark.parametrize("encodings", ["", *PACKED])
def test_exactly_the_limit(encodings: str) -> None:
    pack = {"": bytes, "gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd}[encodings]
    assert len(read(encodings, pack(b"x" * LIMIT))) == LIMIT
    with pytest.raises(FlowChatError) as caught:
        read(encodings, pack(b"x" * (LIMIT + 1)))
    assert caught.value.code == "fetch_too_large"
