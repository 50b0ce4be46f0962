"""What a page says about itself: title, language, dates, where it belongs and where its links lead."""

import json
import re
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

from flowchat.domain import Document
from flowchat.ingest.extract.inline import clean
from flowchat.net.robots import AGENT, page_directives

MAX_TITLE_CHARS = 200
MAX_DESCRIPTION_CHARS = 500
MAX_REFRESH_S = 10  # a page that leads elsewhere later than that is one to read
MAX_JSON_LD_CHARS = 300_000  # of all of a page's scripts together
_MAX_JSON_LD_NODES = 2000
_FIRST_YEAR = 1990  # before it there was no web: such dates are zero values

_FEEDS = ("application/rss+xml", "application/atom+xml", "application/feed+json")
_ROBOTS = ("robots", AGENT.lower())
_TITLE_PARENTS = ("head", "body", "html", "noscript", "div", "main", "article", "section")  # others: a drawing's title
_SEPARATOR = (
    r"\s+[|\-\u2013\u2014\u00b7\u2022\u00bb\u00ab\u2039\u203a:/~]+\s+|\s*(?:\||::|\u00bb|\u00ab|\u2014)\s*|[:,]\s+"
)
_STARTS_WITH_SEPARATOR = re.compile(_SEPARATOR)
_ENDS_WITH_SEPARATOR = re.compile(rf"(?:{_SEPARATOR})$")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{1,8})*")
_REFRESH = re.compile(r"\s*(\d*)(?:\.[\d.]*)?[\s;,]+(?:url\s*=\s*)?(?:\"([^\"]*).*|'([^']*).*|(.*))", re.I | re.S)
_PUBLISHED = (
    "datepublished article:published_time og:article:published_time dcterms.created dcterms.issued dcterms.date "
    "dc.date.issued dc.date.created dc.date date pubdate publish-date publication_date"
).split()
_MODIFIED = (
    "datemodified article:modified_time og:article:modified_time og:updated_time dcterms.modified dc.date.modified "
    "last-modified revised"
).split()
# Their dates are not the page's.
_PARTS = frozenset("Comment Review UserReview Answer Question ImageObject VideoObject Person Organization".split())


def read_metadata(tree: LexborHTMLParser) -> Document:
    """The page's document, but for its blocks."""
    reader = _Reader()
    for node in tree.css(_SELECTOR):
        _READ[node.tag or ""](reader, node)
    return reader.document()


class _Reader:
    def __init__(self) -> None:
        self.title = ""
        self.language = ""
        self.main_headings: list[str] = []
        self.metas: dict[str, str] = {}  # by name, property or itemprop: the first that says something
        self.robots: list[str] = []
        self.links: dict[str, None] = {}  # a set that keeps its order
        self.canonical: str | None = None
        self.base = ""
        self.refresh = ""
        self.alternates: list[tuple[str, str]] = []
        self.feeds: list[str] = []
        self.json_ld: list[str] = []

    def document(self) -> Document:
        # JSON-LD comes first: a <meta name=date> may be the day of the last build.
        dates = self.metas | self._json_ld_dates()
        noindex, nofollow = page_directives(",".join(self.robots))
        title = self.title or clean(self.metas.get("og:title", ""))
        description = self.metas.get("description") or self.metas.get("og:description") or ""
        return Document(
            title=page_name(title, self.main_headings)[:MAX_TITLE_CHARS],
            language=self._language(),
            blocks=(),
            links=tuple(self.links),
            noindex=noindex,
            nofollow=nofollow,
            canonical=self.canonical,
            base=self.base,
            refresh=self.refresh,
            alternates=tuple(self.alternates),
            feeds=tuple(self.feeds),
            description=clean(description)[:MAX_DESCRIPTION_CHARS],
            published=_first_date(dates, _PUBLISHED),
            modified=_first_date(dates, _MODIFIED),
        )

    def read_title(self, node: LexborNode) -> None:
        if not self.title and node.parent is not None and node.parent.tag in _TITLE_PARENTS:
            self.title = clean(node.text())

    def read_heading(self, node: LexborNode) -> None:
        self.main_headings.append(clean(node.text()))

    def read_html(self, node: LexborNode) -> None:
        self.language = node.attributes.get("lang") or node.attributes.get("xml:lang") or ""

    def read_base(self, node: LexborNode) -> None:
        self.base = self.base or (node.attributes.get("href") or "").strip()

    def read_anchor(self, node: LexborNode) -> None:
        """Links within the page lead nowhere else, unless <base> says so, which then names a page of its own."""
        attributes = node.attrs
        href = attributes.get("href")
        if href and href[0] != "#" and "nofollow" not in (attributes.get("rel") or "").lower().split():
            self.links[href] = None

    def read_frame(self, node: LexborNode) -> None:
        if source := node.attributes.get("src"):
            self.links[source] = None

    def read_link(self, node: LexborNode) -> None:
        attributes = node.attributes
        href = (attributes.get("href") or "").strip()
        relations = (attributes.get("rel") or "").lower().split()
        if not href:
            return
        if "canonical" in relations:
            self.canonical = self.canonical or href
        if ("next" in relations or "prev" in relations) and "nofollow" not in relations:
            self.links[href] = None
        if "alternate" in relations:
            if language := (attributes.get("hreflang") or "").strip().lower():
                self.alternates.append((language, href))
            if (attributes.get("type") or "").strip().lower() in _FEEDS:
                self.feeds.append(href)

    def read_meta(self, node: LexborNode) -> None:
        attributes = node.attributes
        content = (attributes.get("content") or "").strip()
        if not content:
            return
        for key in ("name", "property", "itemprop", "http-equiv"):
            name = (attributes.get(key) or "").strip().lower()
            if name in _ROBOTS and key == "name":
                self.robots.append(content)
            elif name == "refresh" and key == "http-equiv":
                self._read_refresh(node, content)
            elif name:
                self.metas.setdefault(name, content)

    def read_time(self, node: LexborNode) -> None:
        attributes = node.attributes
        names = (attributes.get("itemprop") or "").lower().split()
        if "pubdate" in attributes:
            names.append("datepublished")
        for name in names:
            self.metas.setdefault(name, attributes.get("datetime") or "")

    def read_script(self, node: LexborNode) -> None:
        if (node.attributes.get("type") or "").strip().lower() == "application/ld+json":
            self.json_ld.append(node.text())

    def _read_refresh(self, node: LexborNode, content: str) -> None:
        """One inside <noscript> leads away those whose browser has no scripts."""
        found = _REFRESH.fullmatch(content)
        is_aside = node.parent is not None and node.parent.tag == "noscript"
        if found is not None and not is_aside and int(found[1][:9] or 0) <= MAX_REFRESH_S:
            self.refresh = self.refresh or (found[2] or found[3] or found[4] or "").strip()

    def _json_ld_dates(self) -> dict[str, str]:
        budget = MAX_JSON_LD_CHARS
        dates: dict[str, str] = {}
        for text in self.json_ld:
            budget -= len(text)
            if budget < 0:
                break
            try:
                dates = _dates_in(json.loads(text)) | dates
            except (ValueError, RecursionError):
                continue
        return dates

    def _language(self) -> str:
        named = (self.language, self.metas.get("content-language", ""), self.metas.get("og:locale", ""))
        tags = (name.partition(",")[0].strip().lower().replace("_", "-") for name in named)
        return next((tag for tag in tags if _LANGUAGE.fullmatch(tag)), "")


_READ = {
    "title": _Reader.read_title,
    "h1": _Reader.read_heading,
    "html": _Reader.read_html,
    "base": _Reader.read_base,
    "a": _Reader.read_anchor,
    "area": _Reader.read_anchor,
    "iframe": _Reader.read_frame,
    "frame": _Reader.read_frame,
    "link": _Reader.read_link,
    "meta": _Reader.read_meta,
    "time": _Reader.read_time,
    "script": _Reader.read_script,
}
_SELECTOR = ",".join(_READ)


def page_name(title: str, headings: list[str]) -> str:
    """The page's own name: its title without the site's name, where a main heading tells which part that is."""
    for heading in reversed(headings):  # the first may be the site's logo
        if not heading or len(heading) >= len(title):
            continue
        if title.startswith(heading) and _STARTS_WITH_SEPARATOR.match(title[len(heading) :]):
            return heading
        if title.endswith(heading) and _ENDS_WITH_SEPARATOR.search(title[: -len(heading)]):
            return heading
    return title


def _dates_in(data: Any) -> dict[str, str]:
    """The dates of the outermost thing in JSON-LD that has any, in lower case."""
    queue = deque([data])
    for _ in range(_MAX_JSON_LD_NODES):
        if not queue:
            break
        node = queue.popleft()
        if isinstance(node, dict):
            dates = {
                name.lower(): value
                for name in ("datePublished", "dateModified")
                if isinstance(value := node.get(name), str)
            }
            if dates and not _is_part(node):
                return dates
        if isinstance(node, dict | list):
            queue.extend(node.values() if isinstance(node, dict) else node)
    return {}


def _is_part(node: dict[str, Any]) -> bool:
    kind = node.get("@type")
    return kind in _PARTS if isinstance(kind, str) else False


def _first_date(values: Mapping[str, str], names: Iterable[str]) -> str:
    return next((date for name in names if (date := rfc3339(values.get(name, "")))), "")


def rfc3339(text: str) -> str:
    """A date or time as RFC 3339, '' for what is none. A time without its zone is only good for its date."""
    moment = _moment(text.strip())
    if moment is None or moment.year < _FIRST_YEAR:
        return ""
    if moment.tzinfo is None:
        return moment.date().isoformat()
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(text)  # as HTTP and mail write it
    except (ValueError, IndexError, TypeError):
        return None
