"""Tenants that each own one of everything, and the keys of whoever might want to see it."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from appliance import operator
from web_server import Served, make_live

from flowchat.billing import Invite, SignUp
from flowchat.domain import PageOutcome, new_id, now
from flowchat.services import backup_archive, backup_files, keys
from flowchat.services.backup_archive import Manifest, Part
from flowchat.services.key_requests import NewOperatorKey
from flowchat.store import invites, pages, signups, sources, versions
from flowchat.store.database import Connection

PAST = "2020-01-01T00:00:00Z"
Call = Callable[..., Awaitable[dict[str, Any]]]


@dataclass
class Tenant:
    """`ids` are those of its things by the names that paths have for them; `keys` are secrets by their holder.

    `word` stands in whatever it wrote itself.
    """

    word: str
    ids: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def id_of(self, name: str, operation_name: str) -> str:
        """The id for that place of a path; some operations need a thing of a certain kind."""
        resource = operation_name.partition(".")[0]
        return self.ids.get(f"{operation_name}.{name}") or self.ids.get(f"{resource}.{name}") or self.ids[name]


async def operator_key(served: Served) -> str:
    _, secret = await keys.create(served.app, await operator(served.app), NewOperatorKey())
    return secret


async def make_tenant(served: Served, operator_secret: str, word: str) -> Tenant:
    tenant = Tenant(word, {"model": "flowchat-verifier-2"})  # an installed one: nothing is fetched
    made = await _call(served, operator_secret, "POST", "/v1/tenants", json={"slug": word, "name": word})
    plan = await _call(served, operator_secret, "POST", "/v1/plans", json={"slug": word, "name": word})
    tenant.ids |= {"tenant": made["id"], "plan": plan["id"]}
    tenant.keys["admin"] = made["key"]

    async def call(method: str, path: str, **options: Any) -> dict[str, Any]:
        return await _call(served, made["key"], method, path, **options)

    await _add_sources(served, tenant, call)
    await _add_keys(tenant, call)
    await _add_conversation(served, tenant)
    await _add_words(served, tenant, call)
    await _add_webhook(tenant, call)
    await _add_signup(served, tenant)
    tenant.ids["backup"] = _add_backup(served)
    user = {"email": f"{word}@shop.example", "name": word, "role": "owner"}
    tenant.ids["user"] = (await call("POST", "/v1/users", json=user))["id"]
    user = {"email": f"{word}-2@shop.example", "name": word, "role": "owner"}
    await call("POST", "/v1/users", json=user)
    return tenant


async def _add_sources(served: Served, tenant: Tenant, call: Call) -> None:
    """One that has two versions and no job, one that has a job, one whose job is paused, and one of documents."""
    word, ids = tenant.word, tenant.ids
    site = {"url": f"https://{word}.example/", "slug": word, "name": word}
    made = await call("POST", "/v1/sources", json=site)
    ids["source"], ids["source slug"] = made["id"], word
    await call("POST", f"/v1/jobs/{made['job']['id']}/cancel")
    source = await sources.get(served.app.db, ids["tenant"], made["id"])
    assert source
    ids["version"] = await make_live(served.app, source)
    second = await make_live(served.app, source)
    ids["versions.diff.version"], ids["page"] = second, await _add_page(served, second)
    crawled = await call("POST", "/v1/sources", json={**site, "slug": f"{word}-2"})
    ids["job"] = crawled["job"]["id"]
    paused = await call("POST", "/v1/sources", json={**site, "slug": f"{word}-4"})
    ids["jobs.resume.job"] = paused["job"]["id"]
    await call("POST", f"/v1/jobs/{paused['job']['id']}/pause")
    files = await call("POST", "/v1/sources", json={"name": word, "slug": f"{word}-3"})
    uploaded = await call("POST", f"/v1/sources/{files['id']}/documents", files={"file": (f"{word}.md", b"# A\n\nB.")})
    await call("POST", f"/v1/jobs/{uploaded['job']['id']}/cancel")
    ids["documents.source"], ids["document"] = files["id"], uploaded["documents"][0]["id"]


async def _add_page(served: Served, version_id: str) -> str:
    """One that is new in a version."""
    version = await versions.get(served.app.db, version_id)
    assert version
    page = PageOutcome("https://page.example/", 0, "indexed")
    return f"pag_{await served.app.db.write(lambda conn: pages.finish(conn, version.seq, page)):016}"


async def _add_keys(tenant: Tenant, call: Call) -> None:
    word, made = tenant.word, tenant.keys
    wanted: dict[str, dict[str, Any]] = {
        "reader": {"type": "admin", "scopes": ["read"]},
        "widget": {"type": "widget"},
        "test widget": {"type": "widget", "test": True},
        "revoked admin": {"type": "admin"},
        "revoked widget": {"type": "widget"},
        "expired admin": {"type": "admin", "expires_at": PAST},
        "expired widget": {"type": "widget", "expires_at": PAST},
    }
    for holder, request in wanted.items():
        key = await call("POST", "/v1/keys", json={**request, "name": word})
        made[holder] = key["key"]
        if holder.startswith("revoked"):
            await call("POST", f"/v1/keys/{key['id']}/revoke")
        if holder == "widget":
            tenant.ids["key"] = key["id"]


async def _add_conversation(served: Served, tenant: Tenant) -> None:
    """A question that was answered."""
    question = {"query": f"Where is the {tenant.word}?", "visitor_id": f"visitor-{tenant.word}"}
    headers = {"X-FlowChat-Key": tenant.keys["widget"], "Accept": "application/json"}
    response = await served.client.post("/v1/chat", json=question, headers=headers)
    assert response.status_code == 200, response.text
    answer = response.json()
    tenant.ids["conversation"], tenant.ids["message"] = answer["conversation_id"], answer["message_id"]
    tenant.ids["conversation token"] = answer["conversation_token"]
    tenant.ids["visitor"] = question["visitor_id"]


async def _add_words(served: Served, tenant: Tenant, call: Call) -> None:
    """What is said about answers, and in place of them."""
    word, ids = tenant.word, tenant.ids
    curated = {"question": f"Where does the {word} live?", "answer": f"Here lives the {word}.", "source": ids["source"]}
    ids["curated_answer"] = (await call("POST", "/v1/curated-answers", json=curated))["id"]
    rating = {"message_id": ids["message"], "conversation_token": ids["conversation token"], "rating": "up"}
    given = await _call(served, tenant.keys["widget"], "POST", "/v1/feedback", json={**rating, "reason": word})
    ids["feedback"] = given["id"]


async def _add_webhook(tenant: Tenant, call: Call) -> None:
    endpoint = {"url": f"https://{tenant.word}.example/hook", "events": ["*"], "description": tenant.word}
    webhook = (await call("POST", "/v1/webhooks", json=endpoint))["id"]
    delivery = await call("POST", f"/v1/webhooks/{webhook}/ping")
    tenant.ids |= {"webhook": webhook, "delivery": delivery["id"]}
    tenant.ids["event"] = (await call("GET", "/v1/events"))["data"][0]["id"]


async def _add_signup(served: Served, tenant: Tenant) -> None:
    """Somebody who waits for an account, and somebody who was invited."""
    email = f"{tenant.word}-3@shop.example"
    signup = SignUp(id=new_id("sgn"), email=email, name=tenant.word, state="0", created_at=now())
    invite = Invite(id=new_id("inv"), email=email, note=tenant.word, expires_at=now(3600), created_at=now())

    def transaction(conn: Connection) -> None:
        signups.insert(conn, signup)
        invites.insert(conn, invite, invite.id)

    await served.app.db.write(transaction)
    tenant.ids |= {"signup": signup.id, "invite": invite.id}


def _add_backup(served: Served) -> str:
    """One of another database, which is quicker than one of this."""
    settings = served.app.settings
    name = backup_files.new_name(settings, is_kept=True)
    path = backup_files.path_of(settings, name)
    path.parent.mkdir(exist_ok=True)
    small = settings.data_dir / "small.db"
    small.write_bytes(b"small")

    def manifest(database: Part, revoked: Part) -> Manifest:
        return Manifest(
            format=1, created_at=now(), flowchat="0", schema=1, secret_key="", database=database, revoked=revoked,
            rows={"tenants": 1},
        )  # fmt: skip

    backup_archive.write(path, small, b"", lambda done, total: None, manifest)
    return name


async def _call(served: Served, secret: str, method: str, path: str, **options: Any) -> dict[str, Any]:
    response = await served.client.request(method, path, headers=headers_of(secret), **options)
    assert response.is_success, f"{method} {path}: {response.text}"
    return dict(response.json())


def headers_of(secret: str | None) -> dict[str, str]:
    """A credential wherever one may stand."""
    return {"Authorization": f"Bearer {secret}", "X-FlowChat-Key": secret} if secret else {}


async def rows_of(served: Served, tenant: Tenant) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that is stored about a tenant, table by table."""
    db = served.app.db
    columns: dict[str, str] = {"tenant_id": "select ?1"}
    columns["source_id"] = "select id from sources where tenant_id = ?1"
    columns["version"] = f"select seq from versions where source_id in ({columns['source_id']})"
    columns["conversation_id"] = "select id from conversations where tenant_id = ?1"
    columns["key_id"] = "select id from keys where tenant_id = ?1"
    found = {}
    for table in await db.rows("select name from sqlite_schema where type = 'table' and sql not like '%virtual%'"):
        present = {row["name"] for row in await db.rows("select name from pragma_table_info(?)", (table["name"],))}
        if column := next((column for column in columns if column in present), None):
            sql = f"select * from {table['name']} where {column} in ({columns[column]}) order by 1, 2"
            found[table["name"]] = [tuple(row) for row in await db.rows(sql, (tenant.ids["tenant"],))]
    return found


def said(response: httpx.Response, sent: str) -> str:
    """What a response tells beyond what its request did."""
    text = response.text
    for word in re.findall(r"[\w-]{5,}", sent):
        text = text.replace(word, "")
    return text
