"""What happens when the appliance starts, before it answers. Only for the process that holds the data folder."""

from flowchat.domain import Source
from flowchat.ingest.documents import builtin_hash
from flowchat.services import homepage, keys, tenant_files
from flowchat.services.context import Context
from flowchat.services.key_requests import NewAdminKey
from flowchat.services.queueing import queue
from flowchat.services.tenants import system_actor
from flowchat.store import idempotency, jobs, versions
from flowchat.store import sources as source_store
from flowchat.store.database import Connection


async def first_admin_key(app: Context) -> str | None:
    """The secret of the first tenant's first admin key, if it never had one."""
    actor = await system_actor(app.db)
    if any(key.type == "admin" for key in await keys.list_all(app, actor)):
        return None
    _, secret = await keys.create(app, actor, NewAdminKey(name="first admin key"))
    return secret


def clear_moves(app: Context) -> None:
    """Delete what an export or an import that was killed has left in the folder."""
    tenant_files.clean_up(app.settings.data_dir)


async def resume_jobs(app: Context) -> None:
    """Queue again what a killed process left running."""
    await app.db.write(jobs.release_all)


async def mark_interrupted_requests(app: Context) -> None:
    """Nobody knows whether a request that died with its process was done: it must not be done twice."""
    await app.db.write(idempotency.mark_interrupted)


async def queue_missing_work(app: Context) -> None:
    """The homepage's key, the built-in documents if they changed, and sources whose vectors are another model's."""
    await homepage.ensure(app)
    docs = await source_store.builtin(app.db)
    if docs is not None and docs.status != "revoked" and not await _is_current(app, docs):
        await queue_anew(app, docs)
    for source in await source_store.all_with_live_version(app.db):
        live = await versions.get(app.db, source.live_version or "")
        if live is not None and live.embedder != app.settings.embedder:
            await queue_anew(app, source)


async def _is_current(app: Context, docs: Source) -> bool:
    return docs.live_version is not None and await versions.content_hash(app.db, docs.live_version) == builtin_hash()


async def queue_anew(app: Context, source: Source) -> None:
    """Unless the source has a job already: that one will do."""

    def transaction(conn: Connection) -> None:
        if jobs.active_id(conn, source.id) is not None:
            return
        if source.is_builtin:
            queue(conn, source, "index_docs", app.settings.embedder)
        elif source.url is None:
            queue(conn, source, "index_documents", app.settings.embedder)
        else:
            queue(conn, source, "reindex", app.settings.embedder)

    await app.db.write(transaction)
