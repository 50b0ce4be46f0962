"""The first two steps: what never is content, and which element holds the page's own part."""

import re

from selectolax.lexbor import LexborNode

from flowchat.ingest.extract.main_content.names import CONTENT, SLIDES
from flowchat.ingest.extract.main_content.page import Page
from flowchat.ingest.extract.main_content.phrases import NOTICES

_NEVER_ROLES = frozenset("navigation search banner contentinfo menu menubar toolbar tooltip status".split())
_DIALOG_ROLES = frozenset(("dialog", "alertdialog", "alert"))
_PANELS = frozenset(("div", "section", "p", "article", "dd"))
_BUTTON_HOLDERS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6", "summary", "dt"))
_PAGE_PARTS = frozenset(("main", "h1"))
_FORM_CONTENT = frozenset(("main", "article", "h1"))
_ARTICLE = frozenset(("article",))
_HEADING_1 = frozenset(("h1",))
_SECTIONING = frozenset(("article", "section", "main", "aside", "li", "td"))
_STREAMED = re.compile(r"S:\w+")  # React puts late content there, for a script to move
_MIN_MAIN_CHARS = 200
_MAX_HIDDEN = 0.25  # of the text; with more it is the page itself, behind a dialog
_MIN_MAIN_SHARE = 0.3  # of the body's text, or 0.4 of what is outside links: less is a skeleton
_MIN_MAIN_PROSE_SHARE = 0.4
_MIN_INNER_SHARE = 0.7  # of the prose, for an article or a `#content` to stand for the whole
_MAX_OTHER_ARTICLES = 0.1  # beside it: with more the page is a thread or a list


def drop_unrendered(page: Page) -> None:
    """Drop elements that hold no content: controls, navigation by its role, dialogs, hidden text of others."""
    total = page.size(0)
    seen: set[str] = set()
    for number in page.elements(0):
        tag, attributes = page.tags[number], page.attributes[number]
        role = attributes.get("role") or ""
        if tag == "noscript":
            if page.size(number) * 2 <= total:  # some forums have the whole thread there
                page.drop(number)
        elif role in _NEVER_ROLES:
            if not page.contains(number, _PAGE_PARTS):
                page.drop(number)
        elif tag == "button":
            if page.tags[page.parents[number]] not in _BUTTON_HOLDERS:
                page.drop(number)
        elif tag == "form":
            if page.size(number) * 3 <= total and not page.contains(number, _FORM_CONTENT):
                page.drop(number)
        elif (attributes or tag == "dialog") and _is_hidden(page, number, role):
            if page.size(number) > _MAX_HIDDEN * total:
                continue
            text = page.text(number) if _may_open(page, number) else ""
            if not text or text in seen or NOTICES.search(text):
                page.drop(number)
            seen.add(text)
    page.recount()


def _is_hidden(page: Page, number: int, role: str) -> bool:
    attributes = page.attributes[number]
    classes = attributes.get("class") or ""
    if not (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or role in _DIALOG_ROLES
        or page.tags[number] == "dialog"
        or ("modal" in classes and "modal" in classes.split())
    ):
        return False
    ident = attributes.get("id") or ""
    is_tab = role == "tabpanel" or "tabpanel" in ident.replace("-", "")
    return not is_tab and not ("hidden" in attributes and _STREAMED.fullmatch(ident))


def _may_open(page: Page, number: int) -> bool:
    """Accordions and sheets, which hide the page's own text until they are opened; not the slides of a carousel."""
    if page.tags[number] not in _PANELS or not page.is_prose(number):
        return False
    parent = page.parents[number]
    around = (number, parent, page.parents[parent])
    return page.tags[parent] != "li" and not any(SLIDES.search(page.names(i)) for i in around if i >= 0)


def marked_main(body: LexborNode) -> LexborNode | None:
    """The element marked as the main one, unless it has too little of the page's text: then it is a skeleton."""
    main = max(body.css("main,[role=main]"), key=_size, default=None)
    if main is None or (size := _size(main)) < _MIN_MAIN_CHARS:
        return None
    whole = _size(body)
    has_most = size >= _MIN_MAIN_SHARE * whole
    return main if has_most or size - _linked(main) >= _MIN_MAIN_PROSE_SHARE * (whole - _linked(body)) else None


def _size(node: LexborNode) -> int:
    return len(node.text(strip=True))


def _linked(node: LexborNode) -> int:
    return sum(map(_size, node.css("a")))


def drop_page_frame(page: Page) -> None:
    """Drop header, footer and asides of a page without a main element."""
    for number in page.elements(0):
        tag = page.tags[number]
        if tag in ("header", "footer"):
            is_frame = not any(page.tags[i] in _SECTIONING for i in page.ancestors(number))
            if is_frame and not (tag == "header" and page.contains(number, _HEADING_1)):
                page.drop(number)
        elif (tag == "aside" or page.attributes[number].get("role") == "complementary") and not page.is_prose(number):
            page.drop(number)
    page.recount()


def inner_root(page: Page) -> int:
    """The article, or the element named like content, that has nearly all of the prose; else the page's own root."""
    return _single_article(page) or _named_content(page)


def _single_article(page: Page) -> int:
    articles = page.tagged(0, _ARTICLE)
    if not articles:
        return 0
    first = max(articles, key=page.prose)
    prose = page.prose(first)
    others = sum(page.prose(i) for i in articles if not first <= i < page.ends[first])
    is_all = prose >= max(_MIN_MAIN_CHARS, _MIN_INNER_SHARE * page.prose(0))
    return first if is_all and others < _MAX_OTHER_ARTICLES * prose else 0


def _named_content(page: Page) -> int:
    root, least = 0, max(_MIN_MAIN_CHARS, _MIN_INNER_SHARE * page.prose(0))
    for number in page.elements(0):
        if page.prose(number) >= least and not CONTENT.isdisjoint(page.names(number).lower().split()):
            root, least = number, max(_MIN_MAIN_CHARS, _MIN_INNER_SHARE * page.prose(number))
    return root
