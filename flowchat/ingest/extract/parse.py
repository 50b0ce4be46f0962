"""HTML text -> a tree, in bounded time whatever the page is.

Lexbor's time grows with the square of the depth of nested elements and of the attributes of one tag: 100,000 nested
`<div>` take it 30 s, 50,000 attributes 5 s. So what no real page has is taken out of the text before it is parsed.
"""

import re
from itertools import accumulate, count, repeat
from operator import sub

from selectolax.lexbor import LexborHTMLParser

MAX_NESTING = 250  # elements inside one another; deeper tags are dropped, their text stays
MAX_ATTRIBUTES = 500  # of one tag; one that has more keeps none
MAX_TAGS = 120_000  # beginning and ending; what comes after them is not read: each takes half a kilobyte of memory
_MAX_ROOTS = 10  # a second <html> or <body> only adds its attributes to the first
_LARGE_CHARS = 100_000  # in less than that, a tag full of attributes takes a second or two
_LONG_TAG_CHARS = 8000  # a shorter one has no attributes that would matter
_WINDOW_CHARS = _LONG_TAG_CHARS // 2
_MANY_TAGS = 25_000  # fewer, if all were nested, take half a second at most
_MANY_OPEN = 4000  # real pages leave so many open only where most are void elements

_LONG_TAG = re.compile(rf"(<[a-zA-Z][^\s/<>]*)[^<>]{{{_LONG_TAG_CHARS},}}")
_ATTRIBUTE = re.compile(r"[^\s=/]+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s]*))?")
# What the parser takes for a tag must be what this takes for one: so comments go, as do quotes that aren't a value's,
# and elements whose content is no HTML keep it without its "<".
_MARKUP = re.compile(
    r"<!--.*?(?:-->|\Z)|<[!?][^>]*>?|</[^a-zA-Z][^>]*>?"
    r"|(?P<raw><(?P<raw_name>script|style|textarea|title|iframe|noembed|noframes|xmp)\b[^<>]*>?)"
    r"(?P<content>.*?)(?:</(?P=raw_name)\s*>|\Z)"
    r"|</(?P<end>[a-zA-Z][^\s/<>]*)[^<>]*>?"
    r"|<(?P<name>[a-zA-Z][^\s/<>]*)(?P<attributes>(?:\s+[^\s\"'<>/=]+(?:\s*=\s*"
    r"(?:\"[^\"]{0,4000}\"|'[^']{0,4000}'|[^\s\"'<>=`]+))?)*+)(?P<rest>[^<>]*)>?",
    re.DOTALL | re.IGNORECASE,
)
# Void elements, and those that the next one of their kind closes.
_UNNESTED = frozenset(
    "area base br col embed hr img input link meta source track wbr p li dt dd tr td th option optgroup thead tbody "
    "tfoot colgroup head".split()
)
_BARRIERS = frozenset("table caption template object applet marquee select svg math button".split())
_BLOCKS = _BARRIERS | frozenset(
    "address article aside blockquote center details dialog dir div dl fieldset figcaption figure footer form frameset "
    "h1 h2 h3 h4 h5 h6 header hgroup listing main menu nav noscript ol pre search section summary ul".split()
)


def parse_html(html: str) -> LexborHTMLParser:
    """The tree of a page. Never raises on malformed HTML."""
    if len(html) > _LARGE_CHARS:
        html = _with_few_attributes(html)
    tags = html.count("<")
    if tags > MAX_TAGS:
        html = "<".join(html.split("<", MAX_TAGS)[:MAX_TAGS])
    if tags > _MANY_TAGS or (tags > _MANY_OPEN and _is_deep(html)):
        html = _Flattening().of(html)
    return LexborHTMLParser(html)


def _is_deep(html: str) -> bool:
    """Whether at some point many more tags have begun than ended; void elements count too."""
    begun = accumulate(map(str.count, html.split("</"), repeat("<")))
    is_open: list[int] = list(map(sub, begun, count()))
    lowest = accumulate(is_open, min, initial=0)
    return any(now - low > _MANY_OPEN for now, low in zip(is_open, lowest, strict=False))


def _with_few_attributes(html: str) -> str:
    """Looks only where a whole window has no markup, since each long tag has at least one."""
    pieces: list[str] = []
    done = 0
    for window in range(0, len(html), _WINDOW_CHARS):
        end = window + _WINDOW_CHARS
        if window < done or html.find("<", window, end) >= 0 or html.find(">", window, end) >= 0:
            continue
        start = html.rfind("<", max(done, end - _LONG_TAG_CHARS), window)
        if start < 0 or html.find(">", start, window) >= 0 or (tag := _LONG_TAG.match(html, start)) is None:
            continue
        if len(_ATTRIBUTE.findall(tag[0])) > MAX_ATTRIBUTES:
            pieces += (html[done:start], tag[1])
            done = tag.end()
    return "".join((*pieces, html[done:])) if pieces else html


class _Flattening:
    """Drops the tags that are nested too deeply, and their end tags.

    What it takes for closed is closed for the parser too (HTML Standard, "The rules for parsing tokens in HTML
    content"): an end tag reaches no further than the table or the like around it, an inline one no block either.
    """

    def __init__(self) -> None:
        self._open: list[str] = []
        self._dropped: dict[str, int] = {}
        self._roots = 0

    def of(self, html: str) -> str:
        return _MARKUP.sub(self._kept, html)

    def _kept(self, markup: re.Match[str]) -> str:
        if name := markup["name"]:
            return self._start(name.lower(), markup)
        if name := markup["end"]:
            return self._end(name.lower(), markup[0])
        if name := markup["raw_name"]:
            return f"{markup['raw']}{markup['content'].replace('<', ' ')}</{name}>"
        return ""

    def _start(self, name: str, markup: re.Match[str]) -> str:
        if name in ("html", "body"):
            self._roots += 1
            if self._roots > _MAX_ROOTS:
                return ""
        elif name not in _UNNESTED:
            if len(self._open) >= MAX_NESTING:
                self._dropped[name] = self._dropped.get(name, 0) + 1
                return ""
            self._open.append(name)
        rest = markup["rest"]
        if '"' in rest or "'" in rest:
            return f"<{name}{markup['attributes']}>"
        return markup[0] if markup[0].endswith(">") else f"{markup[0]}>"

    def _end(self, name: str, tag: str) -> str:
        if name == "p":  # one without its <p> makes an element; the next block closes a paragraph as well
            return ""
        if self._dropped.get(name):
            self._dropped[name] -= 1
            return ""
        for position in range(len(self._open) - 1, -1, -1):
            other = self._open[position]
            if other == name:
                del self._open[position:]
                break
            if other in _BARRIERS or (other in _BLOCKS and name not in _BLOCKS):
                break
        return tag if tag.endswith(">") else f"{tag}>"
