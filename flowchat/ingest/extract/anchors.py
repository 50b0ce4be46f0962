"""The anchors of headings: where a link to a section leads."""

import re
from urllib.parse import unquote

from selectolax.lexbor import LexborHTMLParser, LexborNode

HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}

_SYMBOLS = re.compile(r"[\s\u200b\u200d\u2060\ufe0f\ufeff#¶§⚓\U0001f517\uf0c1\ue157]*")  # the last two: icon fonts
_PHRASES = re.compile(
    r"\s*#?\s*(?:(?:(?:perma|direct |permanent |copy |section |heading )?link|permalink|anchor|navigate)"
    r"(?:(?: for| to) (?:this |the )?(?:heading|headline|header|section|title|definition|clipboard))?|"
    r"heading self-link)\s*",
    re.IGNORECASE,
)
_MAX_STEPS = 3  # from what is in a heading up to it
_LAYOUT = frozenset(
    "main page site body inner outer content bodycontent article wrapper wrap container primary root app post entry "
    "layout column col mw text next nuxt gatsby readme wiki".split()
)
_WORD = re.compile(r"[a-z]+")


def settle_anchors(tree: LexborHTMLParser) -> None:
    """Give each heading as id what its permalink (¶, #, "Link to this heading") or an element in it has as anchor.

    Permalinks are removed: their text is none of the heading's.
    """
    for link in tree.css('a[href^="#"]'):
        text = link.text()
        if not (is_symbol := _SYMBOLS.fullmatch(text) is not None) and not _PHRASES.fullmatch(text):
            continue
        heading = _heading_of(link)
        if heading is not None:
            target = unquote((link.attrs.get("href") or "")[1:])
            if target and target != "top" and not heading.id:
                heading.attrs["id"] = target
        if heading is not None or (is_symbol and text.strip()):  # others may be empty targets
            link.decompose()
    for inner in tree.css(":is(h1,h2,h3,h4,h5,h6) :is([id],a[name])"):
        heading = _around(inner)
        if heading is not None and not heading.id:
            heading.attrs["id"] = inner.id or inner.attrs.get("name") or ""


def is_layout(ident: str) -> bool:
    """Whether an id names a part of the page's layout ("main-content"), or a post among others ("post-12")."""
    return _LAYOUT.issuperset(_WORD.findall(ident.lower()))


def _heading_of(link: LexborNode) -> LexborNode | None:
    """The heading around a permalink, or the one beside it in their common wrapper (as on GitHub)."""
    heading = _around(link)
    if heading is not None:
        return heading if link.text(strip=True) != heading.text(strip=True) else None
    wrapper = link.parent
    if wrapper is None or wrapper.tag not in ("div", "span", "hgroup"):
        return None
    headings = [child for child in wrapper.iter() if child.tag in HEADINGS]
    return headings[0] if len(headings) == 1 else None


def _around(node: LexborNode) -> LexborNode | None:
    outer = node.parent
    for _ in range(_MAX_STEPS):
        if outer is None or outer.tag in HEADINGS:
            return outer
        outer = outer.parent
    return None
