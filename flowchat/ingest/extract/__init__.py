"""HTML, Markdown or plain text -> a document: its text as blocks, and what it says about itself.

Limits: needs the content in the HTML itself; pages whose text is made by scripts are named as such.
"""

from dataclasses import replace
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from mdit_py_plugins.anchors import anchors_plugin
from selectolax.lexbor import LexborHTMLParser

from flowchat.domain import Document
from flowchat.ingest.extract.anchors import settle_anchors
from flowchat.ingest.extract.blocks import BlockReader
from flowchat.ingest.extract.main_content import main_content
from flowchat.ingest.extract.markdown import markdown_html, split_front_matter
from flowchat.ingest.extract.metadata import MAX_DESCRIPTION_CHARS, MAX_TITLE_CHARS, read_metadata
from flowchat.ingest.extract.parse import parse_html
from flowchat.ingest.extract.plain_text import text_blocks
from flowchat.ingest.extract.scripted import is_made_by_scripts

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").use(anchors_plugin, max_level=6)


def extract_html(html: str) -> Document:
    """The main content of a page, and what the page says about itself. Never raises on malformed HTML."""
    tree = parse_html(html)
    settle_anchors(tree)
    document = read_metadata(tree)
    reader = read_content(tree)
    return replace(
        document,
        title=document.title or reader.title,
        blocks=tuple(reader.blocks),
        needs_javascript=is_made_by_scripts(html, sum(len(block.text) for block in reader.blocks)),
    )


def read_content(tree: LexborHTMLParser) -> BlockReader:
    """The blocks and headings of a page's main content, which is all that is left of the tree afterwards."""
    reader = BlockReader()
    content = main_content(tree)
    if content is not None:
        reader.read(content)
    return reader


def extract_fragment(html: str) -> Document:
    """HTML that is nothing but content, titled by its first heading."""
    tree = parse_html(html)
    settle_anchors(tree)
    reader = BlockReader()
    if tree.body is not None:
        reader.read(tree.body)
    return Document(title=reader.title, language="", blocks=tuple(reader.blocks), links=())


def extract_markdown(text: str) -> Document:
    """A Markdown document; its title is that of its front matter, else the first heading."""
    fields, body = split_front_matter(text)
    document = extract_fragment(markdown_html(body))
    return replace(
        document,
        title=fields.get("title", "")[:MAX_TITLE_CHARS] or document.title,
        description=fields.get("description", "")[:MAX_DESCRIPTION_CHARS],
    )


def extract_text(text: str) -> Document:
    """Plain text, which has neither headings nor a title."""
    return Document(title="", language="", blocks=tuple(text_blocks(text)), links=())


def render_markdown(text: str) -> str:
    """HTML of a Markdown document (CommonMark and tables, raw HTML escaped), its headings with anchors."""
    return str(_MARKDOWN.render(text))


def page_title(document: Document, url: str) -> str:
    """A title to show: the page's own, else its address."""
    return document.title or urlsplit(url).path or url
