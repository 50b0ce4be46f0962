"""Pages that say nearly the same, by SimHash.

Source: Manku, Jain, Das Sarma, "Detecting near-duplicates for web crawling" (WWW 2007): at most 3 bits differ. Of our
64 bits, 48 are of the words, and 16 are a checksum of the numbers, which must agree: a price or a version is what a
page is about.
"""

import hashlib
import re
import zlib
from collections import Counter
from collections.abc import Iterable

import numpy as np

from flowchat.domain import Page

MAX_DIFFERENT_BITS = 3
NUMBER_BITS = 16
_WORD_BYTES = 6
_BLOCK_BITS = 12  # a fourth of the words' bits
_WORD = re.compile(r"\w+")


def simhash(text: str) -> int | None:
    """64 bits, signed; None for a text without words."""
    counts = Counter(_WORD.findall(text.lower()))
    if not counts:
        return None
    numbers = sorted((word, n) for word, n in counts.items() if not word.isalpha())
    words = [word for word in counts if word.isalpha()]
    weights = np.array([counts[word] for word in words], np.float64)  # (words,)
    digests = b"".join(
        hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=_WORD_BYTES).digest() for word in words
    )
    bits = np.unpackbits(np.frombuffer(digests, np.uint8)).reshape(-1, 8 * _WORD_BYTES)  # (words, 48)
    sums = weights @ (bits * 2.0 - 1.0)  # (48,)
    of_words = int.from_bytes(np.packbits(sums > 0).tobytes(), "big", signed=True)
    return of_words << NUMBER_BITS | zlib.crc32(repr(numbers).encode("utf-8", "replace")) % (1 << NUMBER_BITS)


def different_bits(a: int, b: int) -> int:
    """In how many of the 48 bits of their words two texts differ: 24 where they have nothing to do with each other."""
    return (((a ^ b) >> NUMBER_BITS) % (1 << 8 * _WORD_BYTES)).bit_count()


def is_nearly_same(a: int, b: int) -> bool:
    return (a ^ b) % (1 << NUMBER_BITS) == 0 and different_bits(a, b) <= MAX_DIFFERENT_BITS


class Twins:
    """The pages of a crawl by what they say. Only pages of one title are compared.

    Pages of different titles that say nearly the same are about different things: products, commands, places.
    """

    def __init__(self, pages: Iterable[Page]) -> None:
        self._pages: dict[tuple[str, int, int], list[tuple[int, str]]] = {}
        for page in pages:
            if page.status == "indexed":
                self.add(page.url, page.title, page.facts.simhash)

    def add(self, url: str, title: str, fingerprint: int | None) -> None:
        for block in _blocks(fingerprint):
            self._pages.setdefault((title, *block), []).append((fingerprint or 0, url))

    def find(self, url: str, title: str, fingerprint: int | None) -> str | None:
        """The address of another page that says nearly the same."""
        for block in _blocks(fingerprint):
            for other_fingerprint, other in self._pages.get((title, *block), ()):
                if other != url and is_nearly_same(other_fingerprint, fingerprint or 0):
                    return other
        return None


def _blocks(fingerprint: int | None) -> list[tuple[int, int]]:
    """(number, value) of four blocks of the words' bits: where at most three bits differ, one of them is the same."""
    if fingerprint is None:
        return []
    of_words = fingerprint >> NUMBER_BITS
    return [(number, of_words >> _BLOCK_BITS * number & (1 << _BLOCK_BITS) - 1) for number in range(4)]
