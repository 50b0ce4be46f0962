"""Versions of a source, and rolling back to a former one."""

from flowchat.domain import Actor, JobProgress, Version
from flowchat.errors import Conflict, NotFound
from flowchat.ingest import ending
from flowchat.services import sources
from flowchat.services.context import Context
from flowchat.services.lists import Listed, ListRequest, read_page
from flowchat.services.operations import operation
from flowchat.store import audit_log, versions
from flowchat.store import sources as source_store
from flowchat.store.database import Connection


@operation("versions.list", "read")
async def list_page(app: Context, actor: Actor, source_name: str, request: ListRequest) -> Listed[Version]:
    """List the versions of a source, newest first. Raises NotFound."""
    source = await sources.find(app, actor, source_name)
    return await read_page(request, lambda cursor: versions.page(app.db, source.id, cursor))


@operation("versions.get", "read")
async def get(app: Context, actor: Actor, source_name: str, version_id: str) -> Version:
    """Show a version. Raises NotFound."""
    source = await sources.find(app, actor, source_name)
    version = await versions.of_source(app.db, source.id, version_id)
    if version is None:
        raise NotFound("version", version_id)
    return version


@operation("versions.activate", "write")
async def activate(app: Context, actor: Actor, source_name: str, version_id: str) -> Version:
    """Let a former version answer, from the next question on: roll back, or forward again.

    The next crawl makes a newer version live. Raises NotFound, and Conflict `version_not_kept`, `other_embedder` or
    `source_revoked`.
    """
    version = await get(app, actor, source_name, version_id)
    progress = JobProgress(indexed=version.pages, chunks=version.chunks)

    def transaction(conn: Connection) -> None:
        source = source_store.find(conn, actor.tenant_id, version.source_id)
        present = versions.find(conn, version.source_id, version.id)
        if source is None or present is None:
            raise NotFound("version", version_id)
        sources.require_answering(source)
        if present.status == "live":
            return
        _require_usable(conn, present, app.settings.embedder)
        ending.go_live(conn, present, None, source, progress)
        source_store.set_ready(conn, source.id)
        audit_log.insert(conn, actor, "versions.activate", version.id, source=source.id, number=version.number)

    await app.db.write(transaction)
    return await get(app, actor, source_name, version_id)


def _require_usable(conn: Connection, version: Version, embedder: str) -> None:
    if version.status != "former" or not versions.is_kept(conn, version):
        raise Conflict(
            "version_not_kept",
            f"Version {version.number} is {version.status}. Only a former version whose content is kept can go live: "
            f"the last {versions.KEEP_FORMER}.",
        )
    if version.embedder != embedder:
        raise Conflict(
            "other_embedder",
            f"Version {version.number} was embedded with {version.embedder}, not with {embedder}. Recrawl instead.",
        )
