"""FlowChat's own documentation, for people: the same documents that the source `docs` is made of."""

from dataclasses import dataclass
from functools import cache

from flowchat.errors import NotFound
from flowchat.ingest.documents import DOCS_PREFIX, builtin_documents
from flowchat.ingest.extract import extract_markdown, render_markdown
from flowchat.services.context import Context
from flowchat.store import sources


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
    """All documents, in the order of their names."""
    return tuple(_rendered(name, text) for name, text in builtin_documents().items())


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
