"""FlowChat's own documentation, for people: the same documents that the source `docs` is made of."""

from dataclasses import dataclass
from functools import cache

from flowchat.errors import NotFound
from flowchat.ingest.documents import DOCS_PREFIX, builtin_documents
from flowchat.ingest.extract import extract_markdown, render_markdown
from flowchat.services.context import Context
from flowchat.store import sources

# The order for reading; what is in none of them comes last.
_GROUPS = {
    "Start": ("overview", "quick-start"),
    "Content": ("crawling", "sources-api", "conversations"),
    "Ask": ("chat-api", "keys", "verification"),
    "API": ("api", "webhooks", "usage", "tenants"),
    "Operate": ("admin", "operating", "settings", "command-line", "models", "security"),
}
_REST = "More"


@dataclass(frozen=True, slots=True)
class DocsPage:
    """One document; `path` is its address here."""

    name: str
    title: str
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


async def are_answerable(app: Context) -> bool:
    """Whether the source `docs` is indexed: that takes a moment after the first start."""
    source = await sources.builtin(app.db)
    return source is not None and source.live_version is not None and source.status != "revoked"


def _rendered(name: str, text: str) -> DocsPage:
    return DocsPage(name, extract_markdown(text).title or name, render_markdown(text))
