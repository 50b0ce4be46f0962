"""Uploaded files -> text, and what is refused."""

import pytest
from office_files import docx, pdf

from flowchat.domain import Document
from flowchat.errors import FlowChatError
from flowchat.ingest import files
from flowchat.ingest.files import CONTENT_TYPES, content_type_of, read_file


async def read(name: str, content: bytes) -> Document:
    return await read_file(name, content_type_of(name, ""), content)


def test_what_a_file_is() -> None:
    assert content_type_of("Guide.MD", "application/octet-stream") == "text/markdown"
    assert content_type_of("guide", "text/html") == "text/html"
    assert content_type_of("guide.v2", "application/pdf") == "application/pdf"
    assert content_type_of("photo.png", "image/png") == content_type_of("guide", "") == ""


async def test_text_formats() -> None:
    markdown = await read("a.md", b"# Returns\n\nWithin 30 days.\n")
    assert (markdown.title, [block.text for block in markdown.blocks]) == ("Returns", ["Within 30 days."])
    page = "<title>Größe</title><nav>Menu</nav><main><h1>Größen</h1><p>Nur in groß.</p></main>"
    html = await read("a.html", page.encode("latin-1"))
    assert (html.title, [block.text for block in html.blocks]) == ("Größe", ["Nur in groß."])
    plain = await read("notes.txt", b"# First line.\n\nSecond *paragraph*.")
    assert (plain.title, [block.text for block in plain.blocks]) == (
        "notes.txt",
        ["# First line.", "Second *paragraph*."],
    )


async def test_a_pdf_is_read_page_by_page() -> None:
    long = "This line is long enough to be one of a paragraph that goes"
    document = await read(
        "manual.pdf", pdf(("Chapter One", long, "on here."), ("The second page.",), title="The Manual")
    )
    assert document.title == "The Manual"
    assert [(block.text, block.anchor) for block in document.blocks] == [
        ("Chapter One", "page=1"),
        (f"{long} on here.", "page=1"),
        ("The second page.", "page=2"),
    ]
    assert (await read("manual.pdf", pdf(("Some words.",)))).title == "manual.pdf"


async def test_a_word_file_has_headings() -> None:
    document = await read("guide.docx", docx("Sending back", "Within 30 days.", "It is free."))
    assert [(block.text, block.headings) for block in document.blocks] == [
        ("Within 30 days.", ("Sending back",)),
        ("It is free.", ("Sending back",)),
    ]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.pdf", b"%PDF-1.7 nothing more", "damaged"),
        ("a.pdf", b"", "damaged"),
        ("a.pdf", pdf(("Secret.",), is_locked=True), "password"),
        ("a.pdf", pdf(()), "no text"),
        ("a.docx", b"PK\x03\x04 nothing more", "damaged"),
        ("a.docx", docx("Bomb", padding=10_000_000), "Split"),
        ("a.docx", docx(""), "no text"),
        ("a.md", b"  \n", "no text"),
        ("a.txt", b"x" * 10_000_001, "Split"),
    ],
)
async def test_what_is_refused(name: str, content: bytes, says: str) -> None:
    with pytest.raises(FlowChatError, match=says) as caught:
        await read(name, content)
    assert (caught.value.code, caught.value.status, caught.value.param) == ("bad_document", 400, "file")


async def test_limits_of_a_pdf(monkeypatch: pytest.MonkeyPatch) -> None:
    content = pdf(("One.",), ("Two.",))
    monkeypatch.setattr(files, "MAX_READ_S", -1.0)
    with pytest.raises(FlowChatError, match="to read"):
        await read("a.pdf", content)
    monkeypatch.setattr(files, "MAX_PDF_PAGES", 1)
    with pytest.raises(FlowChatError, match="more than 1 pages"):
        await read("a.pdf", content)


def test_every_kind_has_an_ending() -> None:
    assert all(content_type_of(f"a{ending}", "") == kind for ending, kind in CONTENT_TYPES.items())
