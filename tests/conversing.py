"""Visitors' conversations with a served appliance, answered by its real pipeline with fake models."""

from dataclasses import replace
from typing import Any

from appliance import operator
from web_server import Served

from flowchat.answer.pipeline import Answerer
from flowchat.domain import NewChunk, PageOutcome, Source
from flowchat.services import keys
from flowchat.services.key_requests import NewAdminKey
from flowchat.store import chunks, pages, sources, tenants, versions
from flowchat.store.database import Connection

RETURNS = "You may return it within thirty days. Sending it back is free."


async def with_pipeline(served: Served) -> None:
    """From now on answers come from the source `shop`, which has one page."""
    app = served.app
    app.answerer = Answerer(app.settings, app.db, app.engines, app.gate)
    source = await source_of(served, "shop")
    vectors = app.engines.embedder.embed_passages([RETURNS])

    def transaction(conn: Connection) -> str:
        version_id = versions.insert(conn, source.id, app.engines.embedder.name)
        seq = int(conn.execute("select seq from versions where id = ?", (version_id,)).fetchone()[0])
        chunks.ensure_vectors(conn, app.engines.embedder.dims)
        page = pages.finish(conn, seq, PageOutcome("https://shop.example/returns", 0, "indexed", title="Returns"))
        chunks.insert(conn, seq, page, "Returns", [NewChunk(RETURNS, ("Time",), "time")], vectors)
        return version_id

    version = await versions.get(app.db, await app.db.write(transaction))
    assert version

    def go_live(conn: Connection) -> None:
        versions.make_live(conn, version)

    await app.db.write(go_live)


async def source_of(served: Served, slug: str) -> Source:
    source = await sources.get(served.app.db, (await operator(served.app)).tenant_id, slug)
    assert source
    return source


async def answered(served: Served, query: str, **fields: Any) -> dict[str, Any]:
    """The finished answer to a question, as a visitor's page gets it."""
    response = await served.ask({"query": query, **fields}, Accept="application/json")
    assert response.status_code == 200, response.text
    return dict(response.json())


async def going_on(served: Served, query: str, former: dict[str, Any]) -> dict[str, Any]:
    """The answer to another question of that conversation."""
    thread = {name: former[name] for name in ("conversation_id", "conversation_token")}
    return await answered(served, query, **thread)


async def read_only(served: Served) -> None:
    """Call with an admin key that may only read from now on."""
    _, served.admin = await keys.create(served.app, await operator(served.app), NewAdminKey(scopes=("read",)))


async def as_other_tenant(served: Served) -> None:
    """Call with another tenant's admin key from now on."""
    other = await served.app.db.write(lambda conn: tenants.insert(conn, "other", "Other"))
    actor = replace(await operator(served.app), tenant_id=other.id)
    _, served.admin = await keys.create(served.app, actor, NewAdminKey())
