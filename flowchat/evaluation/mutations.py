"""Malformed input as crawlers meet it: real files, damaged."""

import gzip
from collections.abc import Callable, Sequence
from random import Random

MAX_MUTATIONS = 4
_LEVELS = 10_000
_HUGE = 20_000
_ENCODINGS = ("utf-16", "utf-16-be", "utf-32", "shift_jis", "gbk", "koi8-r", "cp1252", "utf-7")
_ODD_BYTES = (
    b"\0",
    b"\xed\xa0\x80",  # half of a surrogate pair
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xef\xbf\xbe",
    b"\xf4\x90\x80\x80",  # behind the last character
    b"\xe2\x80\xae",  # from right to left
    b"\xc2\x85",
    b"\r",
    b"\x1b[31m",
)
_TAGS = (
    b"<div>",
    b"<a>",
    b"<b>",
    b"<table><tr><td>",
    b"<ul><li>",
    b"<svg>",
    b"<url>",
    b"<item>",
    b"<!--",
    b"<![CDATA[",
)
_NAMES = (b"href", b"class", b"id", b"style", b"content")

Mutation = Callable[[Random, bytes, Sequence[bytes]], bytes]


def mutated(dice: Random, body: bytes, others: Sequence[bytes]) -> bytes:
    """The body with one to four kinds of damage. `others` are what may be spliced into it."""
    for _ in range(dice.randint(1, MAX_MUTATIONS)):
        body = dice.choice(_MUTATIONS)(dice, body, others)
    return body


def _truncated(dice: Random, body: bytes, _others: Sequence[bytes]) -> bytes:
    start, end = _slice(dice, body)
    return dice.choice((body[:end], body[start:]))


def _with_flipped_bits(dice: Random, body: bytes, _others: Sequence[bytes]) -> bytes:
    flipped = bytearray(body or b"\0")
    for _ in range(dice.randint(1, 30)):
        flipped[dice.randrange(len(flipped))] ^= 1 << dice.randrange(8)
    return bytes(flipped)


def _without_slice(dice: Random, body: bytes, _others: Sequence[bytes]) -> bytes:
    start, end = _slice(dice, body)
    return body[:start] + body[end:]


def _with_repeated_slice(dice: Random, body: bytes, _others: Sequence[bytes]) -> bytes:
    start, end = _slice(dice, body)
    return body[:end] + body[start:end] * dice.randint(1, 5) + body[end:]


def _spliced(dice: Random, body: bytes, others: Sequence[bytes]) -> bytes:
    other = dice.choice(others)
    start, end = _slice(dice, other)
    return _inserted(dice, body, other[start:end])


def _with_random_bytes(dice: Random, body: bytes, _others: Sequence[bytes]) -> bytes:
    return _inserted(dice, body, dice.randbytes(dice.randint(1, 200)))


def _with_odd_bytes(dice: Random, body: bytes, _others: Sequence[bytes]) -> bytes:
    for _ in range(dice.randint(1, 5)):
        body = _inserted(dice, body, dice.choice(_ODD_BYTES) * dice.randint(1, 3))
    return body


def _with_unclosed_tags(dice: Random, body: bytes, _others: Sequence[bytes]) -> bytes:
    return body.replace(*dice.choice(((b"</", b"<"), (b">", b""), (b"</", b""), (b'"', b""), (b"]]>", b""))))


def _deeply_nested(dice: Random, body: bytes, _others: Sequence[bytes]) -> bytes:
    levels = dice.choice((100, 100, 100, _LEVELS))  # mostly few: these take longest
    return _inserted(dice, body, dice.choice(_TAGS) * levels)


def _with_huge_attribute(dice: Random, body: bytes, _others: Sequence[bytes]) -> bytes:
    value = dice.choice((b"a", b"/", b"&amp;", b"%41", b" ", b"\xe3\x83\x84")) * _HUGE
    return _inserted(dice, body, b"<a %b=%b%b>" % (dice.choice(_NAMES), dice.choice((b'"', b"")), value))


def _in_another_encoding(dice: Random, body: bytes, _others: Sequence[bytes]) -> bytes:
    return body.decode("utf-8", "replace").encode(dice.choice(_ENCODINGS), "replace")


def _compressed(_dice: Random, body: bytes, _others: Sequence[bytes]) -> bytes:
    return gzip.compress(body, 1, mtime=0)


def _inserted(dice: Random, body: bytes, piece: bytes) -> bytes:
    place = dice.randint(0, len(body))
    return body[:place] + piece + body[place:]


def _slice(dice: Random, body: bytes) -> tuple[int, int]:
    start, end = sorted((dice.randint(0, len(body)), dice.randint(0, len(body))))
    return start, end


_MUTATIONS: tuple[Mutation, ...] = (
    _truncated,
    _with_flipped_bits,
    _without_slice,
    _with_repeated_slice,
    _spliced,
    _with_random_bytes,
    _with_odd_bytes,
    _with_unclosed_tags,
    _deeply_nested,
    _with_huge_attribute,
    _in_another_encoding,
    _compressed,
)
