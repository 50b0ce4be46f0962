"""Markdown as sites publish it -> HTML to read: with its raw HTML, and without its front matter."""

import html
import re
from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from mdit_py_plugins.anchors import anchors_plugin

_FRONT_MATTER = re.compile(r"\ufeff?(?:---|\+\+\+)[ \t]*\n(.*?)\n(?:---|\.\.\.|\+\+\+)[ \t]*(?:\n|\Z)", re.DOTALL)
_FIELD = re.compile(r"^(title|description)\s*[:=]\s*(.*(?:\n[ \t]+\S.*)*)", re.MULTILINE | re.IGNORECASE)
_LOOKS_LIKE_FIELDS = re.compile(r"(?:[ \t]*(?:#.*|[\w\"'.-]+\s*[:=].*|[-\]\[{}].*)?\n|[ \t]+.*\n)*")
_FOLDED = re.compile(r"[>|][+-]?\s*\n")
_TAG = re.compile(r"</?([a-zA-Z][\w-]*)|<!--")
_TAGS = frozenset(
    "a abbr address article aside b bdi bdo blockquote br button caption center cite code col colgroup dd del details "
    "dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i iframe img input ins kbd label li "
    "main mark nav ol p picture pre q rp rt ruby s samp script section small source span strike strong style sub "
    "summary sup svg table tbody td tfoot th thead time tr tt u ul var video wbr".split()
)


def split_front_matter(text: str) -> tuple[dict[str, str], str]:
    """({title, description} of the YAML or TOML at the document's beginning, the rest)."""
    text = text.replace("\r\n", "\n")
    found = _FRONT_MATTER.match(text)
    if found is None or not _LOOKS_LIKE_FIELDS.fullmatch(found[1] + "\n"):
        return {}, text
    return {name.lower(): _value(value) for name, value in _FIELD.findall(found[1])}, text[found.end() :]


def _value(text: str) -> str:
    text = " ".join(_FOLDED.sub("", text).split())
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    return text.replace('\\"', '"')


def markdown_html(text: str) -> str:
    """HTML of CommonMark with tables. Raw HTML stays, but for inline tags that HTML doesn't have: they are text."""
    return str(_MARKDOWN.render(text))


def _inline_html(renderer: RendererHTML, tokens: Sequence[Token], number: int, options: Any, env: Any) -> str:
    content = tokens[number].content
    tag = _TAG.match(content)
    is_known = tag is not None and (tag[1] is None or tag[1].lower() in _TAGS)
    return content if is_known else html.escape(content)


_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).use(anchors_plugin, max_level=6)
_MARKDOWN.add_render_rule("html_inline", _inline_html)
