"""Bytes of a page -> text."""

import codecs

# What browsers decode (https://encoding.spec.whatwg.org/#names-and-labels), under Python's names. Python would find
# many more, and not all are encodings of text.
_ENCODINGS = frozenset(
    "ascii utf-8 utf-16 utf-16-le utf-16-be cp866 koi8-r koi8-u mac-roman mac-cyrillic tis-620 gbk gb2312 gb18030 big5 "
    "big5hkscs euc_jp iso2022_jp shift_jis cp932 euc_kr cp949".split()
    + [f"iso8859-{number}" for number in range(1, 17)]
    + [f"cp{number}" for number in (874, *range(1250, 1259))]
)


def decode(body: bytes, charset: str | None) -> str:
    """Text of a body: by the charset of its header, its `<meta charset>`, UTF-8, then Latin-1."""
    head = body[:2048].lower()
    declared = head.partition(b"charset=")[2].lstrip(b"\"' ")[:20]
    name = charset or "".join(chr(c) for c in declared if chr(c).isalnum() or c in b"-_")
    for encoding in (name, "utf-8"):
        if not _is_known(encoding):
            continue
        try:
            return body.decode(encoding)
        except UnicodeDecodeError:
            continue
    return body.decode("latin-1")


def _is_known(encoding: str) -> bool:
    try:
        return codecs.lookup(encoding).name in _ENCODINGS
    except (LookupError, ValueError):  # the latter: a name that can't be one
        return False
