"""Tenants. The first one is made at first start, with its source `docs`, and is what the command line acts on."""

from flowchat.domain import Actor, CrawlConfig, Source, Tenant, new_id, now
from flowchat.errors import NotFound
from flowchat.services.access import SCOPES
from flowchat.store import audit_log, sources, tenants
from flowchat.store.database import Connection, Database

FIRST_SLUG = "default"
DOCS_SLUG = "docs"


async def ensure_first(db: Database) -> Tenant:
    """The first tenant; made if there is none. Its `docs` are indexed when the appliance starts."""

    def transaction(conn: Connection) -> Tenant:
        if (present := tenants.first_now(conn)) is not None:
            return present
        tenant = tenants.insert(conn, FIRST_SLUG, "Default")
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
        )
        sources.insert(conn, docs)
        audit_log.insert(conn, _system(tenant), "tenants.create", tenant.id, slug=tenant.slug)
        return tenant

    present = await tenants.first(db)
    return await db.write(transaction) if present is None else present


async def actor_for_cli(db: Database, tenant_slug: str | None) -> Actor:
    """Whoever can run the command line may do everything. Raises NotFound for an unknown tenant."""
    tenant = await tenants.by_slug(db, tenant_slug) if tenant_slug else await ensure_first(db)
    if tenant is None:
        raise NotFound("tenant", tenant_slug or "", param="tenant")
    return Actor(tenant.id, "command line", frozenset(SCOPES))


async def system_actor(db: Database) -> Actor:
    """The appliance itself, for what it does to the first tenant when it starts."""
    return _system(await ensure_first(db))


def _system(tenant: Tenant) -> Actor:
    return Actor(tenant.id, "system", frozenset(SCOPES))
