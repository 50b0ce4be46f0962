"""Bodies of answers, decompressed as they arrive: gzip, deflate, br, zstd, or one of them upon another.

No decoder hands out much more than it is asked for, so a bomb ends at the limit whatever its ratio: what is held beyond
it is at most 4 MB of output (zstd) and the decoder's window (16 MB with br, 8 MB with zstd, 32 KB with the others).
"""

import zlib
from collections.abc import Callable
from typing import Protocol

import brotli
import httpcore
import zstandard

from flowchat.errors import FlowChatError

ACCEPT_ENCODING = "gzip, deflate, br, zstd"
MAX_STACKED = 2
MAX_MEMBERS = 10_000  # of one body; tools that make several at all make one of each 64 KB
ZSTD_WINDOW_BYTES = 8 * 1024 * 1024  # RFC 9659, section 3

_ZLIB_WBITS = 15
_GZIP_WBITS = 31
_RAW_DEFLATE_WBITS = -15
_GZIP_START = 0x1F
_ZSTD_SLICE_BYTES = 128  # zstandard can't be told how much to give, and 4 bytes may be a block of 128 KB (RFC 8878)
_BROTLI_PIECE_BYTES = 262_144  # brotli gives more than its limit by as much as twice
_PLAIN = ("", "identity", "none", "utf-8")  # the last two are mistakes that servers make


class Body:
    """Collects one body. Neither it, nor what came over the wire, nor what is between two encodings may be too large.

    `encodings` is the value of Content-Encoding. Raises httpcore.RemoteProtocolError for encodings that were not
    offered, damage and a missing end, and FlowChatError `fetch_too_large` beyond `max_bytes`.
    """

    def __init__(self, encodings: str, max_bytes: int) -> None:
        self.wire_bytes = 0
        self._max_bytes = max_bytes
        self._decoders = _decoders(encodings)
        self._decoded_bytes = [0] * len(self._decoders)
        self._content = bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next piece of what came over the wire."""
        self.wire_bytes += len(data)
        self._check(self.wire_bytes)
        for number, decoder in enumerate(self._decoders):
            try:
                data = decoder.feed(data, self._max_bytes + 1 - self._decoded_bytes[number])
            except (zlib.error, brotli.error, zstandard.ZstdError) as error:
                raise httpcore.RemoteProtocolError(f"the compressed body is damaged: {error}") from error
            self._decoded_bytes[number] += len(data)
            self._check(self._decoded_bytes[number])
        self._content += data

    def _check(self, size: int) -> None:
        if size > self._max_bytes:
            message = f"The page is larger than {self._max_bytes} bytes (FLOWCHAT_CRAWL_MAX_BYTES)."
            raise FlowChatError("fetch_too_large", message, status=502)

    def finish(self) -> bytes:
        """The whole body. Nothing is nothing, whatever it is said to be compressed with."""
        if self.wire_bytes and not all(decoder.finished for decoder in self._decoders):
            raise httpcore.RemoteProtocolError("the compressed body is cut off")
        return bytes(self._content)


class _Decoder(Protocol):
    @property
    def finished(self) -> bool:
        """Whether the end of the compressed data has been seen."""

    def feed(self, data: bytes, max_bytes: int) -> bytes:
        """-> what the data decode to; if that is `max_bytes` (at least 1) or more, there may be more to come"""


def _decoders(encodings: str) -> list[_Decoder]:
    """-> the outermost encoding's first: it was applied last (RFC 9110, section 8.4)"""
    names = [name for part in encodings.split(",") if (name := part.strip().lower()) not in _PLAIN]
    if len(names) > MAX_STACKED or not _BY_NAME.keys() >= set(names):
        raise httpcore.RemoteProtocolError(f"the server used the encoding '{encodings}', which was not offered")
    return [_BY_NAME[name]() for name in reversed(names)]


class _Gzip:
    """One member after another (RFC 1952, section 2.2). What follows and starts like none is padding."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP_WBITS)
        self._members = 1
        self._is_padding = False

    @property
    def finished(self) -> bool:
        return self._member.eof

    def feed(self, data: bytes, max_bytes: int) -> bytes:
        decoded = []
        while data and max_bytes > 0 and not self._is_padding:
            if self._member.eof:
                self._is_padding = data[0] != _GZIP_START
                if self._is_padding:
                    break
                self._members = _one_more(self._members)
                self._member = zlib.decompressobj(_GZIP_WBITS)
            decoded.append(self._member.decompress(data, max_bytes))
            max_bytes -= len(decoded[-1])
            data = self._member.unused_data
        return b"".join(decoded)


class _Deflate:
    """ "deflate" means zlib's format (RFC 9110, section 8.4.1.2), but some servers send the bare stream."""

    def __init__(self) -> None:
        self._start = b""
        self._stream = zlib.decompressobj(_ZLIB_WBITS)

    @property
    def finished(self) -> bool:
        return self._stream.eof

    def feed(self, data: bytes, max_bytes: int) -> bytes:
        if len(self._start) < 2:
            self._start += data
            if len(self._start) < 2:
                return b""
            data = self._start
            # RFC 1950, section 2.2: method 8, and both bytes together a multiple of 31.
            if data[0] & 15 != 8 or int.from_bytes(data[:2]) % 31:
                self._stream = zlib.decompressobj(_RAW_DEFLATE_WBITS)
        return b"" if self._stream.eof else self._stream.decompress(data, max_bytes)


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    @property
    def finished(self) -> bool:
        return bool(self._stream.is_finished())

    def feed(self, data: bytes, max_bytes: int) -> bytes:
        decoded = bytearray()
        while piece := self._stream.process(data, output_buffer_limit=_BROTLI_PIECE_BYTES):
            decoded += piece
            if len(decoded) >= max_bytes:
                break
            data = b""  # it is all taken in; what else it makes comes for the asking
        return bytes(decoded)


class _Zstd:
    """One frame after another (RFC 8878, section 3)."""

    def __init__(self) -> None:
        self._context = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES)
        self._frame = self._context.decompressobj()
        self._frames = 1

    @property
    def finished(self) -> bool:
        return self._frame.eof

    def feed(self, data: bytes, max_bytes: int) -> bytes:
        decoded = bytearray()
        for start in range(0, len(data), _ZSTD_SLICE_BYTES):
            decoded += self._decode(data[start : start + _ZSTD_SLICE_BYTES])
            if len(decoded) >= max_bytes:
                break
        return bytes(decoded)

    def _decode(self, data: bytes) -> bytes:
        decoded = []
        while data:
            if self._frame.eof:
                self._frames = _one_more(self._frames)
                self._frame = self._context.decompressobj()
            decoded.append(self._frame.decompress(data))
            data = self._frame.unused_data
        return b"".join(decoded)


def _one_more(members: int) -> int:
    if members == MAX_MEMBERS:
        raise httpcore.RemoteProtocolError(f"the compressed body has more than {MAX_MEMBERS} parts")
    return members + 1


_BY_NAME: dict[str, Callable[[], _Decoder]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}
