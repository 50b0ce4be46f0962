"""Two appliances with their real pipeline and fake models, and a tenant that moves from one to the other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance import operator
from crawling import chain, site
from loopback import Server
from two_tenants import Tenant, headers_of, make_tenant, operator_key
from web_server import Served, serving

from flowchat.answer.pipeline import Answerer
from flowchat.services import moving, worker
from flowchat.services.moving import Export, Imported, Importing
from flowchat.services.tenant_files import Manifest
from flowchat.store.tenant_tables import TABLES

PASSPHRASE = "correct horse battery staple"
QUESTIONS = [f"What is word{n} good for?" for n in range(4)]
_OF_THE_MACHINE = ("secret", "former_secret", "auth", "totp_secret", "response")  # sealed with its own key


@dataclass
class Machines:
    """`old` has the tenant `red` with everything that a tenant can have, and a crawled site; `new` has others."""

    old: Served
    new: Served
    tenant: Tenant
    server: Server
    operators: dict[str, str] = field(default_factory=dict)

    async def call(self, served: Served, method: str, path: str, **options: Any) -> Any:
        """With the tenant's admin key."""
        response = await served.client.request(method, path, headers=headers_of(self.tenant.keys["admin"]), **options)
        assert response.is_success, response.text
        return response.json()

    async def crawl(self, served: Served, **fields: Any) -> dict[str, Any]:
        """A new source of the site; it is crawled."""
        made = await self.call(served, "POST", "/v1/sources", json={"url": self.server.url + "/", **fields})
        await worker.run(served.app, made["job"]["id"])
        return dict(made)

    async def ask(self, served: Served, query: str, **fields: Any) -> dict[str, Any]:
        headers = {"X-FlowChat-Key": self.tenant.keys["widget"], "Accept": "application/json"}
        response = await served.client.post("/v1/chat", json={"query": query, **fields}, headers=headers)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def export(self, path: Path, **fields: Any) -> Manifest:
        app = self.old.app
        request = Export(passphrase=PASSPHRASE, **fields)
        return await moving.export_to(app, await operator(app), "red", request, path, settle_s=0)

    async def bring_in(self, path: Path, **fields: Any) -> Imported:
        app = self.new.app
        request = Importing(**({"passphrase": PASSPHRASE} | fields))
        return await moving.bring_in(app, await operator(app), path, request)


@asynccontextmanager
async def two_machines(folder: Path, **new_settings: Any) -> AsyncIterator[Machines]:
    async with (
        serving(folder / "old", calls_per_minute=0) as old,
        serving(folder / "new", calls_per_minute=0, **new_settings) as new,
        site(chain()) as server,
    ):
        await make_tenant(new, await operator_key(new), "green")  # its rows have the numbers of those that come
        secret = await operator_key(old)
        machines = Machines(old, new, await make_tenant(old, secret, "red"), server)
        for served in (old, new):
            served.app.answerer = Answerer(served.app.settings, served.app.db, served.app.engines, served.app.gate)
            # A page of `make_tenant` that nothing was made of, which `check` would notice.
            await served.app.db.write(
                lambda conn: conn.execute("delete from pages where url = 'https://page.example/'")
            )
        await machines.crawl(old, slug="site", auth={"type": "basic", "username": "ann", "password": "rosebud-1941"})
        yield machines


def shown(answer: dict[str, Any]) -> dict[str, Any]:
    """What of an answer is the same wherever and whenever it is given."""
    return {name: answer[name] for name in ("answer", "refusal", "reason", "citations", "chunks", "suggestions")}


async def rows_of_tables(served: Served, tenant_id: str) -> dict[str, list[dict[str, Any]]]:
    """All that a tenant has, less what is the machine's own: row numbers, and what is sealed."""
    found = {}
    for table in TABLES:
        where = table.where.replace(":tenant", "?1")
        rows = await served.app.db.rows(f"select * from {table.name} where {where}", (tenant_id,))
        kept = [
            {name: row[name] for name in row.keys() if name not in (*table.numbers, *_OF_THE_MACHINE)}  # noqa: SIM118
            for row in rows
        ]
        found[table.name] = sorted(kept, key=repr)
    return found
