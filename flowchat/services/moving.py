"""Moves a tenant to another machine: an export freezes it here, and an import lets it go on there."""

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import msgspec
from cryptography.fernet import InvalidToken

from flowchat import __version__
from flowchat.billing import Plan, Subscriber
from flowchat.domain import Actor, Tenant, now
from flowchat.errors import Conflict, FlowChatError, NotFound
from flowchat.services import startup, subscribing, tenant_files, tenants, vault
from flowchat.services.context import Context
from flowchat.services.fields import Slug
from flowchat.services.tenant_files import Manifest, Moved, Passphrase
from flowchat.services.tenants import PlanName
from flowchat.settings import Settings
from flowchat.store import jobs, moving, plans, revocations, sources, subscriptions, versions
from flowchat.store import tenants as tenant_store
from flowchat.store.database import Connection, Database
from flowchat.store.migrate import latest_schema, migrate
from flowchat.store.tenant_tables import READABLE, SEALED

SETTLE_S = 20.0  # for what is in flight when a tenant is frozen: a webhook takes at most 15

PassphraseText = Annotated[
    str,
    msgspec.Meta(
        max_length=1000,
        description="Encrypts the secrets in the file, and seals it: 12 characters or more. It is needed to import it.",
        examples=["correct horse battery staple"],
    ),
]


class Export(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a tenant is exported."""

    passphrase: PassphraseText
    copy: Annotated[
        bool,
        msgspec.Meta(
            description="true: the tenant goes on here, and the file has a copy of it, without what is on its way to "
            "webhooks, mail and Stripe. false: it stops here, to go on where the file is imported."
        ),
    ] = False


class Importing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a tenant is imported."""

    passphrase: PassphraseText
    slug: Annotated[Slug | None, msgspec.Meta(description="In place of its own, where that is taken here.")] = None
    plan: Annotated[PlanName | None, msgspec.Meta(description="In place of its own, where that differs here.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """`reindexed` sources get vectors of this machine's embedding model. `notes` say what is left to do."""

    tenant: Subscriber
    rows: dict[str, int]
    reindexed: int
    notes: tuple[str, ...]


async def export_to(
    app: Context, actor: Actor, id_or_slug: str, request: Export, path: Path, *, settle_s: float
) -> Manifest:
    """Write a tenant to the file `path`. Unless it is a copy, the tenant is read-only here from then on, and stops.

    `settle_s`: how long a tenant that was just frozen is left alone, for what is in flight. The first tenant is the
    appliance's own and stays. Raises NotFound, Conflict `tenant_closed`, `first_tenant` or `move_running`, and
    FlowChatError `passphrase_too_short`, `disk_full` and `secret_key_changed`.
    """
    tenant_files.check_length(request.passphrase)
    tenant = await _exportable(app.db, id_or_slug)
    with tenant_files.workplace(app.settings.data_dir) as folder:
        is_frozen = await app.db.write(lambda conn: _begin(conn, actor, tenant, request))
        try:
            if is_frozen:
                await asyncio.sleep(settle_s)
            await app.revocations.follow()
            return await asyncio.to_thread(_write, app, tenant.id, request, folder, path)
        except BaseException:
            if is_frozen:
                await app.db.write(lambda conn: tenant_store.thaw(conn, tenant.id))
            raise


async def _exportable(db: Database, id_or_slug: str) -> Tenant:
    tenant, first = await tenant_store.get(db, id_or_slug), await tenant_store.first(db)
    if tenant is None:
        raise NotFound("tenant", id_or_slug)
    tenants.require_open(tenant)
    if first is not None and tenant.id == first.id:
        message = (
            "The first tenant is the appliance's own. To move the whole machine, restore a backup of it elsewhere."
        )
        raise Conflict("first_tenant", message)
    return tenant


def _begin(conn: Connection, actor: Actor, tenant: Tenant, request: Export) -> bool:
    """Whether the tenant was frozen just now."""
    present = tenants.find(conn, tenant.id)
    tenants.require_open(present)
    tenants.audit(conn, actor, tenant, "tenants.export", slug=tenant.slug, copy=request.copy)
    if request.copy or present.moved_at is not None:
        return False
    tenant_store.freeze(conn, tenant.id)
    return True


def _write(app: Context, tenant_id: str, request: Export, folder: Path, path: Path) -> Manifest:
    settings, database, salt = app.settings, folder / tenant_files.DATABASE, tenant_files.new_salt()
    rows = moving.collect(settings.database_path, database, tenant_id)
    passphrase = Passphrase.of(request.passphrase, salt)
    with moving.open_file(database) as conn:
        _revoke_logged(conn, app, tenant_id)
        moving.change_texts(conn, SEALED, _sealed(lambda text: passphrase.seal(vault.unseal(settings.data_dir, text))))
        moving.change_texts(conn, READABLE, passphrase.seal)
        if request.copy:
            moving.drop_outboxes(conn)
        tenant = tenants.find(conn, tenant_id)
    manifest = Manifest(
        format=tenant_files.FORMAT,
        format_version=tenant_files.FORMAT_VERSION,
        flowchat=__version__,
        schema=latest_schema(),
        exported_at=now(),
        is_copy=request.copy,
        tenant=Moved(id=tenant.id, slug=tenant.slug, name=tenant.name),
        embedder=settings.embedder,
        currency=settings.currency,
        rows=rows,
        database_bytes=0,
        database_sha256="",
        salt=base64.b64encode(salt).decode(),
    )
    return tenant_files.write(path, manifest, database, passphrase)


def _revoke_logged(conn: Connection, app: Context, tenant_id: str) -> None:
    """What only the log knows to be revoked, since an old backup was restored, is revoked in the file, too."""
    key_ids, source_ids = tenant_store.unrevoked(conn, tenant_id)
    for ident in key_ids:
        if ident in app.revocations:
            revocations.apply(conn, "key", ident, now())
    for ident in source_ids:
        if ident in app.revocations:
            revocations.apply(conn, "source", ident, now())


def _sealed(change: Callable[[str], str]) -> Callable[[str], str]:
    """What may stand before a colon stays readable."""

    def changed(text: str) -> str:
        kind, colon, sealed = text.rpartition(":")
        return f"{kind}{colon}{change(sealed)}"

    return changed


async def resume(app: Context, actor: Actor, id_or_slug: str) -> Subscriber:
    """Let a tenant that was exported go on here after all. Only if it is at work nowhere else.

    Its webhooks, letters and usage are sent from here again: where another machine sends them, too, they come twice.
    Raises NotFound, and Conflict `tenant_closed`.
    """

    def transaction(conn: Connection) -> None:
        tenant = tenants.find(conn, id_or_slug)
        tenants.require_open(tenant)
        if tenant.moved_at is not None:
            tenant_store.thaw(conn, tenant.id)
            tenants.audit(conn, actor, tenant, "tenants.resume", slug=tenant.slug)

    await app.db.write(transaction)
    await _wake(app)
    return await tenants.get(app, actor, id_or_slug)


async def _wake(app: Context) -> None:
    for job_id in await jobs.waiting(app.db):
        app.wake(job_id)


async def bring_in(app: Context, actor: Actor, path: Path, request: Importing) -> Imported:
    """Take in the tenant of a file: all of it, or nothing. Its ids, keys, answers and usage are what they were.

    Raises Conflict `tenant_exists`, `slug_taken`, `plan_differs`, `currency_differs`, `import_collides` or
    `move_running`, NotFound for an unknown plan, and FlowChatError `not_an_export`, `export_too_new`,
    `wrong_passphrase` and `disk_full`.
    """
    manifest = await asyncio.to_thread(tenant_files.read_manifest, path)
    _check_fit(manifest, app.settings)
    _check_free(await tenant_store.get(app.db, manifest.tenant.id))
    with tenant_files.workplace(app.settings.data_dir) as folder:
        database = folder / tenant_files.DATABASE
        await asyncio.to_thread(_unpack, app.settings, path, manifest, request.passphrase, database)
        with moving.open_file(database) as file:
            revoked = await app.db.write(lambda conn: _take(conn, file, actor, manifest, request))
    await app.revocations.add("key", *revoked[0])
    await app.revocations.add("source", *revoked[1])
    reindexed = await _reindex(app, manifest.tenant.id)
    await _wake(app)
    app.wake_delivery()
    app.wake_mail()
    tenant = await tenants.get(app, actor, manifest.tenant.id)
    return Imported(
        tenant=tenant, rows=manifest.rows, reindexed=reindexed, notes=_notes(app.settings, manifest, tenant, reindexed)
    )


def _check_fit(manifest: Manifest, settings: Settings) -> None:
    if manifest.schema > latest_schema():
        raise FlowChatError(
            "export_too_new",
            f"FlowChat {manifest.flowchat} wrote this file with schema {manifest.schema}; this one, {__version__}, "
            f"knows up to {latest_schema()}. Update this FlowChat first.",
            param="file",
        )
    if manifest.currency != settings.currency and manifest.rows.get("subscriptions"):
        raise Conflict(
            "currency_differs",
            f"The tenant's usage is priced in {manifest.currency.upper()}, this machine in "
            f"{settings.currency.upper()}: see FLOWCHAT_CURRENCY.",
        )


def _check_free(present: Tenant | None) -> None:
    if present is None:
        return
    if present.moved_at is not None:
        advice = f"It was exported here, and goes on here with `flowchat tenants resume {present.slug}`."
    else:
        advice = "Nothing was changed."
    raise Conflict("tenant_exists", f"This tenant is on this machine already, as '{present.slug}'. {advice}")


def _unpack(settings: Settings, path: Path, manifest: Manifest, text: str, database: Path) -> None:
    passphrase = tenant_files.open_seal(manifest, text)
    tenant_files.extract(path, manifest, database)
    if not moving.is_sound(database, manifest.schema):
        raise tenant_files.damaged("its database has other tables than FlowChat makes")
    migrate(database)

    def unsealed(text: str) -> str:
        try:
            return passphrase.unseal(text)
        except InvalidToken:
            raise tenant_files.damaged("a secret in it was encrypted otherwise") from None

    with moving.open_file(database) as conn:
        moving.change_texts(conn, SEALED, _sealed(lambda text: vault.seal(settings.data_dir, unsealed(text))))
        moving.change_texts(conn, READABLE, unsealed)
        moving.settle(conn)


def _take(
    conn: Connection, file: Connection, actor: Actor, manifest: Manifest, request: Importing
) -> tuple[list[str], list[str]]:
    """Ids of its keys and sources that are revoked."""
    _check_free(tenant_store.find(conn, manifest.tenant.id))
    slug = request.slug or manifest.tenant.slug
    if tenant_store.find(conn, slug) is not None:
        message = f"There is another tenant '{slug}' on this machine. Import this one under another slug."
        raise Conflict("slug_taken", message, param="slug")
    moving.rename(file, slug)
    subscription = subscriptions.find(file, manifest.tenant.id)
    if subscription is not None:
        theirs = plans.find(file, subscription.plan_id)
        moving.set_plan(file, _plan(conn, theirs, request.plan))
    with moving.refused_if_taken():
        moving.bring_in(conn, file, manifest.tenant.id)
    if subscription is None and request.plan is not None:
        subscribing.give(conn, manifest.tenant.id, request.plan)
    tenant = tenants.find(conn, manifest.tenant.id)
    tenants.audit(
        conn, actor, tenant, "tenants.import", slug=slug, exported_at=manifest.exported_at, copy=manifest.is_copy
    )
    return tenant_store.revoked(conn, tenant.id)


def _plan(conn: Connection, theirs: Plan | None, wanted: str | None) -> str:
    """The id of the plan that the tenant has here: the wanted one, or one of the same terms, made if need be."""
    if wanted is not None or theirs is None:
        plan = plans.find(conn, wanted or "")
        if plan is None:
            raise NotFound("plan", wanted or "", param="plan")
        return plan.id
    ours = plans.find(conn, theirs.id) or plans.find(conn, theirs.slug)
    if ours is None:
        plans.insert(conn, replace(theirs, is_public=False, is_trial=False))
        return theirs.id
    if _terms(ours) != _terms(theirs):
        raise Conflict(
            "plan_differs",
            f"The tenant has the plan '{theirs.slug}', which has other terms on this machine. Make them the same, or "
            "say which of this machine's plans it is to have.",
            param="plan",
        )
    return ours.id


def _terms(plan: Plan) -> tuple[object, ...]:
    """What it includes, and at which prices."""
    return plan.included_queries, plan.included_pages, plan.max_sources, plan.overage, plan.prices


async def _reindex(app: Context, tenant_id: str) -> int:
    """Queue what has vectors of another embedding model than this machine's; returns how many sources."""
    queued = 0
    for source in await sources.all_with_live_version(app.db):
        if source.tenant_id == tenant_id:
            live = await versions.get(app.db, source.live_version or "")
            if live is not None and live.embedder != app.settings.embedder:
                await startup.queue_anew(app, source)
                queued += 1
    return queued


def _notes(settings: Settings, manifest: Manifest, tenant: Subscriber, reindexed: int) -> tuple[str, ...]:
    notes = []
    if reindexed:
        notes.append(
            f"It was indexed with {manifest.embedder}, this machine has {settings.embedder}: {reindexed} sources are "
            "being indexed anew. Until that is done they are searched by words alone."
        )
    if tenant.subscription is not None and tenant.subscription.is_managed_by_stripe and not settings.stripe_api_key:
        notes.append("Stripe bills this tenant: set FLOWCHAT_STRIPE_API_KEY of the same account, and its webhooks.")
    return tuple(notes)
