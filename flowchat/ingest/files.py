"""Uploaded files -> the text in them: Markdown, HTML, plain text, PDF and DOCX.

A scanned PDF has no text, and neither tables nor columns of a PDF are recognised.
"""

import asyncio
import io
import re
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import mammoth
import pypdfium2

from flowchat.domain import Block, Document
from flowchat.errors import FlowChatError
from flowchat.ingest.decode import decode
from flowchat.ingest.extract import extract_fragment, extract_html, extract_markdown, extract_text

MAX_PDF_PAGES = 2000
MAX_TEXT_CHARS = 10_000_000
MAX_UNZIPPED_BYTES = 10_000_000  # of a DOCX: its XML takes 25 times that in memory, and seconds for each megabyte
MAX_READ_S = 30.0
CONTENT_TYPES = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".html": "text/html",
    ".htm": "text/html",
    ".txt": "text/plain",
    ".pdf": "application/pdf",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}

_PARAGRAPH_END = 0.6  # a line shorter than this part of the page's longest ends its paragraph
_HYPHEN = re.compile(r"[\u00ad\ufffe\x02]\s*")  # how PDFium marks a word that goes on in the next line
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

# PDFium is not thread-safe; and whoever uploads much must not take the threads that questions need.
_reader = ThreadPoolExecutor(1, thread_name_prefix="documents")


def content_type_of(name: str, declared: str) -> str:
    """What a file is, by its name's ending, else by what its sender says; '' for what can't be read."""
    known = CONTENT_TYPES.get("." + name.rpartition(".")[2].lower()) if "." in name else None
    return known or (declared if declared in CONTENT_TYPES.values() else "")


async def read_file(name: str, content_type: str, content: bytes) -> Document:
    """The document in a file, titled by its own title or its name. One file at a time is read, in a thread.

    Raises FlowChatError `bad_document` for what is broken, encrypted, too large, or has no text.
    """
    return await asyncio.get_running_loop().run_in_executor(_reader, _read_whole, name, content_type, content)


def _read_whole(name: str, content_type: str, content: bytes) -> Document:
    document = _read(name, content_type, content)
    if not any(block.text.strip() for block in document.blocks):
        raise _bad(name, "has no text that could be read. A scanned document needs text recognition first.")
    if sum(len(block.text) for block in document.blocks) > MAX_TEXT_CHARS:
        raise _bad(name, f"has more than {MAX_TEXT_CHARS:,} characters. Split it.")
    title = document.title or name
    return Document(title, document.language, document.blocks, links=())


def _read(name: str, content_type: str, content: bytes) -> Document:
    if content_type == CONTENT_TYPES[".pdf"]:
        return _read_pdf(name, content)
    if content_type == CONTENT_TYPES[".docx"]:
        return extract_fragment(_docx_html(name, content))
    text = decode(content, None)
    if content_type == CONTENT_TYPES[".html"]:
        return extract_html(text)
    return extract_text(text) if content_type == CONTENT_TYPES[".txt"] else extract_markdown(text)


def _read_pdf(name: str, content: bytes) -> Document:
    """Each page is a section with the anchor `page=N`, which browsers' PDF viewers understand."""
    deadline = time.monotonic() + MAX_READ_S
    blocks: list[Block] = []
    try:
        with pypdfium2.PdfDocument(content) as pdf:
            if len(pdf) > MAX_PDF_PAGES:
                raise _bad(name, f"has more than {MAX_PDF_PAGES} pages. Split it.")
            title = _pdf_title(pdf)
            for number in range(len(pdf)):
                if time.monotonic() > deadline:
                    raise _bad(name, f"takes more than {MAX_READ_S:g} s to read. Split it.")
                # Closed here and now: the garbage collector might do it in another thread.
                with closing(pdf[number]) as page, closing(page.get_textpage()) as textpage:
                    text = textpage.get_text_bounded()
                blocks += [Block("text", paragraph, (), f"page={number + 1}") for paragraph in _paragraphs(text)]
    except pypdfium2.PdfiumError as error:
        raise _bad(name, f"can't be read ({error}). It is damaged, or needs a password: save it without.") from None
    return Document(title, "", tuple(blocks), links=())


def _pdf_title(pdf: pypdfium2.PdfDocument) -> str:
    try:
        return _clean(pdf.get_metadata_value("Title"))
    except UnicodeDecodeError:
        return ""


def _paragraphs(text: str) -> list[str]:
    lines = [_clean(line) for line in _HYPHEN.sub("", text).splitlines()]
    longest = max(map(len, lines), default=0)
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        if line:
            paragraphs[-1].append(line)
        if len(line) < _PARAGRAPH_END * longest:
            paragraphs.append([])
    return [" ".join(paragraph) for paragraph in paragraphs if paragraph]


def _docx_html(name: str, content: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            texts = [entry for entry in archive.infolist() if entry.filename.endswith((".xml", ".rels"))]
            unzipped = sum(entry.file_size for entry in texts)
        if unzipped > MAX_UNZIPPED_BYTES:
            raise _bad(name, f"has more than {MAX_UNZIPPED_BYTES:,} bytes of text and layout. Split it.")
        return str(mammoth.convert_to_html(io.BytesIO(content), convert_image=_no_image).value)
    except FlowChatError:
        raise
    except Exception as error:  # mammoth's own are of many kinds: KeyError, AttributeError, expat's, zlib's
        raise _bad(name, f"can't be read ({type(error).__name__}). It is damaged, or needs a password.") from None


@mammoth.images.img_element  # type: ignore[untyped-decorator]
def _no_image(image: object) -> dict[str, str]:
    """Pictures stay out: only their description is text."""
    return {"src": ""}


def _clean(text: str) -> str:
    return " ".join(_CONTROL.sub(" ", text).split())


def _bad(name: str, what: str) -> FlowChatError:
    return FlowChatError("bad_document", f"'{name}' {what}", param="file")
