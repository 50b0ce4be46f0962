"""The version that is live while the next one is built: what a crawl can take from it."""

from flowchat.domain import EXTRACTOR, NewChunk, Page, Version
from flowchat.store import chunks, pages
from flowchat.store.database import Database

MAX_KEPT = 3  # crawls in a row for which a page stays that can't be fetched
_UNAVAILABLE = ("fetch_failed", "fetch_timeout", "render_failed", "render_timeout")
# Outcomes that depend on nothing but the page, so that an unchanged page has the same one again.
_LASTING = ("noindex", "not_a_page", "no_content", "canonical_elsewhere", "other_locale", "duplicate", "near_duplicate")


class Former:
    """Reads the pages of a version; of none where there is none.

    `content_hash` is that of the next version: with another one, the source takes in other pages.
    """

    def __init__(self, db: Database, version: Version | None, content_hash: str | None) -> None:
        self._db = db
        self._version = version
        self._is_alike = version is not None and (version.extractor, version.content_hash) == (EXTRACTOR, content_hash)

    async def indexed(self) -> list[Page]:
        """The pages that the version answers with."""
        known = await pages.all_of(self._db, self._version.seq) if self._version else []
        return [page for page in known if page.status == "indexed"]

    async def page(self, url: str) -> Page | None:
        """What the version knows of a page."""
        return await pages.find(self._db, self._version.seq, url) if self._version else None

    async def chunks(self, page: Page) -> tuple[NewChunk, ...]:
        return tuple(await chunks.of_page(self._db, page.id))

    def may_be_unchanged(self, page: Page | None) -> bool:
        """Whether the site needs to be asked only if the page has changed."""
        if page is None or not self._is_alike or page.facts.kept:
            return False
        return page.status == "indexed" or (page.status == "skipped" and page.reason in _LASTING)


def is_keepable(page: Page | None, reason: str | None, http_status: int | None) -> bool:
    """Whether a page that can't be fetched just now stays as it was."""
    is_unavailable = reason in _UNAVAILABLE or http_status == 429 or (http_status or 0) >= 500
    return page is not None and page.status == "indexed" and is_unavailable and page.facts.kept < MAX_KEPT
