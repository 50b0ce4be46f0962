"""Tenants. The first one is made at first start, with its source `docs`, and is what the command line acts on."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from flowchat.billing import Subscriber
from flowchat.domain import Actor, CrawlConfig, Key, Source, Tenant, new_id, now
from flowchat.errors import Conflict, NotFound
from flowchat.net.stripe_api import customers
from flowchat.net.stripe_api.client import connect
from flowchat.services import subscribing
from flowchat.services.access import SCOPES
from flowchat.services.context import Context
from flowchat.services.credentials import hash_secret, new_secret
from flowchat.services.fields import TEXT_PATTERN, Slug
from flowchat.services.key_requests import TENANT_SCOPES
from flowchat.services.lists import Listed, ListRequest, read_page
from flowchat.services.operations import operation
from flowchat.services.sources import revoke_within
from flowchat.store import audit_log, keys, sources, subscriptions, tenants
from flowchat.store.database import Connection, Database

FIRST_SLUG = "default"
_FIRST_NAME = "Default"
DOCS_SLUG = "docs"
ERASE_ROWS = 500  # of each table in one transaction: others want to write, too

Name = Annotated[str, msgspec.Meta(pattern=TEXT_PATTERN, max_length=100, examples=["Acme Ltd"])]
RetentionDays = Annotated[
    int, msgspec.Meta(ge=1, le=3650, description="Days after its last message when a conversation is deleted.")
]

PlanName = Annotated[
    str,
    msgspec.Meta(
        max_length=64, description="Its id or slug. null: no plan, no quota, nothing billed.", examples=["business"]
    ),
]


class NewTenant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A customer or a team, isolated from all others."""

    slug: Slug
    name: Name
    retention_days: RetentionDays = 90
    plan: PlanName | None = None


class TenantChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays as it is."""

    name: Name | UnsetType = UNSET
    retention_days: RetentionDays | UnsetType = UNSET


class AnyTenantChange(TenantChange, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays as it is. A plan that is given holds at once; one that is over begins anew with it."""

    plan: PlanName | UnsetType | None = UNSET


async def ensure_first(db: Database) -> Tenant:
    """The first tenant; made if there is none. Its `docs` are indexed when the appliance starts."""

    def transaction(conn: Connection) -> Tenant:
        if (present := tenants.first_now(conn)) is not None:
            return present
        tenant = tenants.insert(conn, FIRST_SLUG, _FIRST_NAME)
        docs = Source(
            id=new_id("src"),
            tenant_id=tenant.id,
            slug=DOCS_SLUG,
            name="FlowChat documentation",
            url=None,
            status="pending",
            locale="en",
            config=CrawlConfig(),
            live_version=None,
            pages=0,
            chunks=0,
            last_crawl=None,
            created_at=now(),
            is_builtin=True,
        )
        sources.insert(conn, docs)
        audit_log.insert(conn, _system(tenant), "tenants.create", tenant.id, slug=tenant.slug)
        return tenant

    present = await tenants.first(db)
    return await db.write(transaction) if present is None else present


def company(tenant: Tenant) -> str:
    """What visitors know it by; '' until the first tenant has been given a name of its own."""
    return "" if (tenant.slug, tenant.name) == (FIRST_SLUG, _FIRST_NAME) else tenant.name


async def actor_for_cli(db: Database, tenant_slug: str | None) -> Actor:
    """Whoever can run the command line may do everything.

    Raises NotFound for an unknown tenant, and Conflict `tenant_closed`.
    """
    tenant = await tenants.get(db, tenant_slug) if tenant_slug else await ensure_first(db)
    if tenant is None:
        raise NotFound("tenant", tenant_slug or "", param="tenant")
    require_open(tenant)
    return Actor(tenant.id, "command line", frozenset(SCOPES))


async def system_actor(db: Database) -> Actor:
    """The appliance itself, for what it does to the first tenant when it starts."""
    return _system(await ensure_first(db))


def _system(tenant: Tenant) -> Actor:
    return Actor(tenant.id, "system", frozenset(SCOPES))


@operation("tenants.list", "operator")
async def list_page(app: Context, actor: Actor, request: ListRequest) -> Listed[Subscriber]:
    """List all tenants, newest first, closed ones included."""
    listed = await read_page(request, lambda cursor: tenants.page(app.db, cursor))
    return Listed(await subscribing.subscribers(app, listed.items), listed.has_more)


@operation("tenants.get", "operator")
async def get(app: Context, actor: Actor, id_or_slug: str) -> Subscriber:
    """Show a tenant, by its id or slug.

    Raises NotFound.
    """
    return await _get(app, id_or_slug)


async def _get(app: Context, id_or_slug: str) -> Subscriber:
    tenant = await tenants.get(app.db, id_or_slug)
    if tenant is None:
        raise NotFound("tenant", id_or_slug)
    return (await subscribing.subscribers(app, [tenant]))[0]


@operation("tenants.create", "operator")
async def create(app: Context, actor: Actor, new: NewTenant) -> tuple[Subscriber, str]:
    """Make a tenant, with its first admin key, which is shown only this once.

    A plan with trial days begins with them. Raises NotFound, and Conflict `slug_taken` or `plan_archived`.
    """
    secret = new_secret("fca_")

    def transaction(conn: Connection) -> Tenant:
        if tenants.find(conn, new.slug) is not None:
            raise Conflict("slug_taken", f"There is a tenant '{new.slug}' already. Choose another slug.", param="slug")
        tenant = tenants.insert(conn, new.slug, new.name.strip(), new.retention_days)
        key = _first_key(tenant, secret)
        keys.insert(conn, key, hash_secret(secret))
        plan = subscribing.give(conn, tenant.id, new.plan) if new.plan is not None else None
        told = {"plan": plan.slug} if plan else {}
        audit(conn, actor, tenant, "tenants.create", slug=tenant.slug, key=key.id, **told)
        return tenant

    tenant = await app.db.write(transaction)
    return await _get(app, tenant.id), secret


@operation("tenants.update", "operator")
async def update(app: Context, actor: Actor, id_or_slug: str, change: AnyTenantChange) -> Subscriber:
    """Change a tenant, its plan included.

    A tenant whose plan Stripe bills changes it itself. Raises NotFound, and Conflict `tenant_closed`,
    `managed_by_stripe` or `plan_archived`.
    """
    return await _update(app, actor, id_or_slug, change, "tenants.update")


@operation("tenants.close", "operator")
async def close(app: Context, actor: Actor, id_or_slug: str) -> Subscriber:
    """Close a tenant: revoke its keys and sources at once, and delete its content in the background.

    It can't be undone. Its usage and its audit log are kept. The first tenant can't be closed. A subscription at Stripe
    ends first, with an invoice for what was used.

    Raises NotFound, Conflict `first_tenant` and `not_billed`, and FlowChatError `stripe_unavailable`,
    `stripe_unanswered` and `stripe_refused`.
    """
    await _stop_charging(app, id_or_slug)

    def transaction(conn: Connection) -> tuple[Tenant, list[str], list[str]]:
        tenant = find(conn, id_or_slug)
        if (first := tenants.first_now(conn)) is not None and tenant.id == first.id:
            raise Conflict("first_tenant", "The first tenant is the appliance's own and can't be closed.")
        if tenant.closed_at is not None:
            return tenant, [], []
        key_ids, source_ids = tenants.unrevoked(conn, tenant.id)
        tenants.close(conn, tenant.id)
        for key_id in key_ids:
            keys.revoke(conn, key_id)
        for source_id in source_ids:
            if (source := sources.find(conn, tenant.id, source_id)) is not None:
                revoke_within(conn, _operator_in(tenant), source)
                sources.hide(conn, source.id)
        if tenant.moved_at is not None:
            tenants.stop_sending(conn, tenant.id)
        audit(conn, actor, tenant, "tenants.close", keys=len(key_ids), sources=len(source_ids))
        return find(conn, tenant.id), key_ids, source_ids

    tenant, key_ids, source_ids = await app.db.write(transaction)
    await app.revocations.add("key", *key_ids)
    await app.revocations.add("source", *source_ids)
    return await _get(app, tenant.id)


async def _stop_charging(app: Context, id_or_slug: str) -> None:
    """What Stripe then tells of it makes the subscription a canceled one here, too."""
    tenant, first = await tenants.get(app.db, id_or_slug), await tenants.first(app.db)
    if tenant is None or tenant.closed_at is not None or (first is not None and tenant.id == first.id):
        return
    if tenant.moved_at is not None:
        return  # its other machine goes on with the subscription
    present = await subscriptions.get(app.db, tenant.id)
    if present is not None and present.is_managed_by_stripe and present.stripe_subscription is not None:
        async with connect(app.settings) as stripe:
            await customers.cancel(stripe, present.stripe_subscription)


async def erase_closed(app: Context) -> None:
    """Delete what closed tenants left behind, beside their sources and conversations, which others delete."""

    def transaction(conn: Connection) -> None:
        for tenant_id in left:
            tenants.erase_rest(conn, tenant_id, ERASE_ROWS)

    while left := await tenants.closed_with_rest(app.db):
        await app.db.write(transaction)


@operation("tenant.get", "read")
async def get_own(app: Context, actor: Actor) -> Subscriber:
    """Show the tenant that the key belongs to.

    Raises NotFound.
    """
    return await _get(app, actor.tenant_id)


@operation("tenant.update", "write")
async def update_own(app: Context, actor: Actor, change: TenantChange) -> Subscriber:
    """Change the tenant that the key belongs to.

    Raises NotFound, and Conflict `tenant_closed`.
    """
    return await _update(app, actor, actor.tenant_id, change, "tenant.update")


async def _update(app: Context, actor: Actor, id_or_slug: str, change: TenantChange, operation_name: str) -> Subscriber:
    def transaction(conn: Connection) -> str:
        tenant = find(conn, id_or_slug)
        require_open(tenant)
        name = tenant.name if change.name is UNSET else change.name.strip()
        retention_days = tenant.retention_days if change.retention_days is UNSET else change.retention_days
        tenants.update(conn, tenant.id, name, retention_days)
        told = {}
        if isinstance(change, AnyTenantChange) and change.plan is not UNSET:
            plan = subscribing.give(conn, tenant.id, change.plan)
            told = {"plan": plan.slug if plan else "none"}
        audit(conn, actor, tenant, operation_name, name=name, retention_days=retention_days, **told)
        return tenant.id

    return await _get(app, await app.db.write(transaction))


def find(conn: Connection, id_or_slug: str) -> Tenant:
    tenant = tenants.find(conn, id_or_slug)
    if tenant is None:
        raise NotFound("tenant", id_or_slug)
    return tenant


def require_open(tenant: Tenant) -> None:
    """Raises Conflict `tenant_closed`."""
    if tenant.closed_at is not None:
        raise Conflict("tenant_closed", f"The tenant '{tenant.slug}' was closed on {tenant.closed_at[:10]}.")


def _first_key(tenant: Tenant, secret: str) -> Key:
    return Key(
        id=new_id("key"),
        tenant_id=tenant.id,
        type="admin",
        name="first admin key",
        prefix=secret[:4],
        last_four=secret[-4:],
        mode="gate",
        scopes=TENANT_SCOPES,
        origins=(),
        sources=(),
        created_at=now(),
    )


def audit(conn: Connection, actor: Actor, tenant: Tenant, operation_name: str, **detail: object) -> None:
    """In the log of whoever did it, and, where that is somebody else, in the tenant's own, without an address."""
    audit_log.insert(conn, actor, operation_name, tenant.id, **detail)
    if tenant.id != actor.tenant_id:
        audit_log.insert(conn, _operator_in(tenant), operation_name, tenant.id, **detail)


def _operator_in(tenant: Tenant) -> Actor:
    return Actor(tenant.id, "operator", frozenset())
