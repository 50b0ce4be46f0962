"""FlowChat's own documentation, for people: the same documents that the source `docs` is made of."""

import re
from dataclasses import dataclass
from functools import cache
from html import unescape

from flowchat.errors import NotFound
from flowchat.ingest.documents import DOCS_PREFIX, builtin_documents
from flowchat.ingest.extract import extract_markdown, render_markdown
from flowchat.services.context import Context
from flowchat.store import sources

# The order for reading; what is in none of them comes last.
_GROUPS = {
    "Start": ("overview", "quick-start"),
    "Content": ("crawling", "sources-api", "conversations"),
    "Ask": ("chat-api", "widget", "keys", "verification"),
    "API": ("api", "webhooks", "usage", "plans", "tenants", "sign-up"),
    "Operate": (
        "admin",
        "operating",
        "limits",
        "growing",
        "billing",
        "billing-offline",
        "settings",
        "command-line",
        "models",
        "security",
    ),
}
_REST = "More"
_HEADING = re.compile(r'<h2 id="([^"]+)">(.*?)</h2>')
_FIRST_PARAGRAPH = re.compile(r"</h1>\n<p>(.*?)</p>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of a document; `anchor` leads to it."""

    anchor: str
    title: str


@dataclass(frozen=True, slots=True)
class DocsPage:
    """One document; `path` is its address here, `summary` its first paragraph (plain text, may be empty)."""

    name: str
    title: str
    summary: str
    sections: tuple[Section, ...]
    html: str

    @property
    def path(self) -> str:
        return DOCS_PREFIX + self.name


@cache
def list_pages() -> tuple[DocsPage, ...]:
    """All documents, in the order of their groups."""
    return tuple(page for _, pages in list_groups() for page in pages)


@cache
def list_groups() -> tuple[tuple[str, tuple[DocsPage, ...]], ...]:
    """The groups that have documents: each with its title and its documents, in the order for reading."""
    found = {name: _rendered(name, text) for name, text in builtin_documents().items()}
    ordered = {title: tuple(found.pop(name) for name in names if name in found) for title, names in _GROUPS.items()}
    ordered[_REST] = tuple(found.values())
    return tuple((title, pages) for title, pages in ordered.items() if pages)


def get_page(name: str) -> DocsPage:
    """Raises NotFound."""
    found = next((page for page in list_pages() if page.name == name), None)
    if found is None:
        raise NotFound("page", name)
    return found


def neighbours(page: DocsPage) -> tuple[DocsPage | None, DocsPage | None]:
    """The document before a document and the one after it, in the order for reading."""
    pages = list_pages()
    place = pages.index(page)
    return pages[place - 1] if place else None, pages[place + 1] if place + 1 < len(pages) else None


async def are_answerable(app: Context) -> bool:
    """Whether the source `docs` is indexed: that takes a moment after the first start."""
    source = await sources.builtin(app.db)
    return source is not None and source.live_version is not None and source.status != "revoked"


def _rendered(name: str, text: str) -> DocsPage:
    html = render_markdown(text)
    first = _FIRST_PARAGRAPH.search(html)
    return DocsPage(
        name,
        title=extract_markdown(text).title or name,
        summary=_plain(first[1]) if first else "",
        sections=tuple(Section(anchor, _plain(heading)) for anchor, heading in _HEADING.findall(html)),
        html=_HEADING.sub(_with_link, html),
    )


def _with_link(heading: re.Match[str]) -> str:
    """A heading that can be linked to, with that link."""
    anchor, content = heading.groups()
    link = f'<a class="anchor" href="#{anchor}" aria-labelledby="{anchor}"></a>'
    return f'<div class="heading"><h2 id="{anchor}">{content}</h2>{link}</div>'


def _plain(html: str) -> str:
    return " ".join(unescape(_TAG.sub("", html)).split())
