"""What is made of the bytes of a page."""

import pytest

from flowchat.ingest.decode import decode
from flowchat.ingest.extract import extract_html


@pytest.mark.parametrize(
    ("body", "charset", "expected"),
    [
        ("caf\u00e9".encode(), None, "caf\u00e9"),
        ("caf\u00e9".encode("latin-1"), None, "caf\u00e9"),
        ("\u0434\u0430".encode("cp1251"), "Windows-1251", "\u0434\u0430"),
        ("\u65e5\u672c".encode("shift_jis"), "Shift_JIS", "\u65e5\u672c"),
        (b"<meta charset=koi8-r>\xc4\xc1", None, "<meta charset=koi8-r>\u0434\u0430"),
        *[(b"a\\u0062-+AGI-", name, "a\\u0062-+AGI-") for name in ("unicode_escape", "utf-7", "punycode", "idna")],
        (b"\x61", "hex", "a"),
        (b"a", "no\0such", "a"),
    ],
)
def test_decode(body: bytes, charset: str | None, expected: str) -> None:
    assert decode(body, charset) == expected


def test_titles_and_headings_are_bounded() -> None:
    long = "long " * 1000
    document = extract_html(f"<title>{long}</title><h1>{long}</h1><p>Text.</p>")
    assert len(document.title) == 200
    assert [len(heading) for heading in document.blocks[0].headings] == [200]


def test_footnote_marks_are_no_text() -> None:
    blocks = extract_html(
        "<main><p>Water boils at 100 degrees.<sup><a href='#n1'>[1]</a></sup> Always.</p></main>"
    ).blocks
    assert blocks[0].text == "Water boils at 100 degrees. Always."
