"""A look at a site before it becomes a source."""

import math
from contextlib import aclosing

from flowchat.domain import Actor, Source
from flowchat.errors import Busy, Conflict
from flowchat.ingest.preview import MAX_SITEMAPS, PREVIEW_S, Preview, preview
from flowchat.ingest.site import Site
from flowchat.net.fetch import Fetcher
from flowchat.services import source_auth, sources
from flowchat.services.context import Appliance
from flowchat.services.operations import operation
from flowchat.services.source_requests import NewSource
from flowchat.store import audit_log


@operation("sources.preview", "write")
async def show(app: Appliance, actor: Actor, new: NewSource) -> Preview:
    """Show what a crawl of a site would find first, by the first five pages of one; nothing is stored.

    Takes what creating the source does, and at most 15 seconds. It is not billed. Raises FlowChatError naming the
    field at fault, Conflict `no_url`, and Busy while two others are looked at.
    """
    source = sources.draft(app, actor, new)
    if source.url is None:
        raise Conflict("no_url", "Give the address of a site: there is nothing to look at without one.", param="url")
    if app.previews.locked():
        raise Busy("Other sites are being looked at. Try again in a few seconds.", retry_after_s=math.ceil(PREVIEW_S))
    async with app.previews:
        return await _look(app, actor, source, source.url)


async def _look(app: Appliance, actor: Actor, source: Source, url: str) -> Preview:
    await app.db.write(lambda conn: audit_log.insert(conn, actor, "sources.preview", "", url=url))
    headers = source_auth.headers(app.settings.data_dir, source)
    async with aclosing(Fetcher(app.settings)) as fetcher:
        site = Site(url, fetcher, headers, app.settings.crawl_delay_s, MAX_SITEMAPS)
        return await preview(source, site, app.engines.embedder, app.db)
