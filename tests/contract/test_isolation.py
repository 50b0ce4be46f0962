"""Every operation, with another tenant's things, and every kind of credential, generated from the table of calls.

An operation that is new needs a line in `REQUESTS` where its request has fields of its own, and, where its path has
an id of a new kind, a thing of that kind in two_tenants.py: without them these tests fail.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from subscribing import plan_of, subscribe
from two_tenants import Tenant, headers_of, make_tenant, operator_key, rows_of, said
from web_server import Served, serving

from flowchat.services.lists import ListRequest
from flowchat.services.operations import OPERATIONS
from flowchat.web.calls import CALLS, Call

NO_LIMITS = {"calls_per_minute": 0, "questions_per_minute": 0, "signup": "invite"}
# They get 409: there is no Stripe, and nothing is held back.
IN_CONFLICT = {"billing.change_plan", "billing.checkout", "billing.portal", "billing.reconcile", "outboxes.release"}
SCOPES = {"admin": {"read", "write", "billing"}, "reader": {"read"}, "operator": {"operator"}}
VISITORS = {"widget", "test widget"}
REFUSED = ("revoked admin", "expired admin", "revoked widget", "expired widget", "unknown", "nobody")
CREDENTIALS = (*SCOPES, *VISITORS, *REFUSED)

OVER = plan_of("over")

_number = itertools.count(1)


@dataclass(frozen=True)
class Sent:
    """The options of a request. `foreign`: the status it gets where it names a thing of another tenant's.

    `on_ours`: then the thing of the path is the sender's own, and only what is sent belongs to the other.
    `scope`: the one that this request takes, of an operation that takes either of two.
    """

    options: dict[str, Any]
    foreign: int = 0
    on_ours: bool = False
    scope: str = ""


def body(foreign: int = 0, *, on_ours: bool = False, scope: str = "", **fields: Any) -> Sent:
    return Sent({"json": fields}, foreign, on_ours, scope)


def query(foreign: int = 0, *, on_ours: bool = False, **fields: Any) -> Sent:
    return Sent({"params": fields}, foreign, on_ours)


def _new() -> str:
    """Text that no other request has."""
    return f"new-{next(_number)}"


def _file() -> Sent:
    return Sent({"files": {"file": (f"{_new()}.md", b"# Otters\n\nOtters swim.", "text/markdown")}})


# What each operation is asked for, given the tenant whose things are named.
REQUESTS: dict[str, Callable[[Tenant], list[Sent]]] = {
    "audit_log.list": lambda them: [query(target=them.ids["user"]), query(operation="users.create")],
    "billing.change_plan": lambda them: [body(plan=them.ids["plan"])],
    "billing.checkout": lambda them: [body(plan=them.ids["plan"])],
    "billing.reconcile": lambda them: [body()],
    "chat.ask": lambda them: [
        body(404, query="Who?", source=them.ids["source"]),
        body(404, query="Who?", source=[them.ids["source"]]),
        body(404, query="Who?", source=them.ids["source slug"]),
        body(
            404,
            query="Who?",
            conversation_id=them.ids["conversation"],
            conversation_token=them.ids["conversation token"],
        ),
    ],
    "conversations.erase": lambda them: [query(visitor_id=them.ids["visitor"])],
    "conversations.list": lambda them: [
        query(q=them.word),
        query(visitor_id=them.ids["visitor"]),
        query(key=them.ids["key"]),
        query(404, source=them.ids["source"]),
        query(404, source=them.ids["source slug"]),
        query(starting_after="cnv_zzz", refusal="false"),
    ],
    "curated_answers.create": lambda them: [
        body(question=f"Is {_new()} new?", answer="Yes, it is."),
        body(404, question=f"Is {_new()} new?", answer="Yes, it is.", source=them.ids["source"]),
        body(404, question=f"Is {_new()} new?", answer="Yes, it is.", source=them.ids["source slug"]),
    ],
    "curated_answers.update": lambda them: [
        body(answer=_new()),
        body(404, on_ours=True, source=them.ids["source"]),
    ],
    "documents.create": lambda them: [_file()],
    "feedback.give": lambda them: [
        body(404, message_id=them.ids["message"], conversation_token=them.ids["conversation token"], rating="down")
    ],
    "feedback.list": lambda them: [query(), query(rating="up"), query(starting_after="fbk_zzz")],
    "invites.create": lambda them: [body(email=f"{_new()}@shop.example")],
    "jobs.list": lambda them: [
        query(starting_after="job_zzz"),
        query(404, source=them.ids["source"]),
        query(404, source=them.ids["source slug"]),
    ],
    "keys.create": lambda them: [
        body(scope="write", type="admin", name=_new()),
        body(404, scope="write", type="widget", sources=[them.ids["source"]]),
        body(404, scope="write", type="widget", sources=[them.ids["source slug"]]),
    ],
    "keys.rotate": lambda them: [body()],
    "keys.update": lambda them: [body(name=_new()), body(404, on_ours=True, sources=[them.ids["source"]])],
    "outboxes.release": lambda them: [body(older="drop")],
    "pages.list": lambda them: [query(), query(404, on_ours=True, version=them.ids["version"])],
    "plans.create": lambda them: [body(slug=_new(), name="New")],
    "plans.update": lambda them: [body(name="Newer", prices={"monthly_fee": "1.00"})],
    "playground.ask": lambda them: [
        body(404, query="Who?", source=them.ids["source"]),
        body(404, query="Who?", source=[them.ids["source slug"]]),
    ],
    "signups.confirm": lambda them: [body(410, token=them.ids["signup"])],
    "signups.create": lambda them: [body(403, email=f"{_new()}@shop.example", name="New", invite=them.ids["invite"])],
    "sources.create": lambda them: [body(url="https://new.example/", slug=_new())],
    "sources.preview": lambda them: [body(url="http://10.0.0.1/")],
    "sources.recrawl": lambda them: [body()],
    "sources.update": lambda them: [body(name=_new())],
    "statistics.get": lambda them: [query(), query(**{"from": "2026-01-01", "to": "2026-01-31"})],
    "tenant.update": lambda them: [body(retention_days=30)],
    "tenants.create": lambda them: [body(slug=_new(), name="New")],
    "tenants.invite": lambda them: [body(email=f"{_new()}@shop.example")],
    "tenants.update": lambda them: [body(name=_new())],
    "usage.list": lambda them: [query(group_by="source"), query(group_by="key", starting_after="2100-01-01")],
    "users.create": lambda them: [body(email=f"{_new()}@shop.example")],
    "users.update": lambda them: [body(name=_new())],
    "versions.changes": lambda them: [
        query(),
        query(change="removed"),
        query(404, on_ours=True, against=them.ids["version"]),
    ],
    "versions.diff": lambda them: [query(against=them.ids["version"])],
    "webhooks.create": lambda them: [body(url="https://hooks.example/", events=["*"])],
    "webhooks.update": lambda them: [body(description=_new())],
}


def status_of(call: Call) -> int:
    """What whoever may ask for it gets."""
    return 409 if call.operation_name in IN_CONFLICT else call.status


def requests_of(call: Call, them: Tenant) -> list[Sent]:
    if call.operation_name in REQUESTS:
        return REQUESTS[call.operation_name](them)
    kind = call.request_type
    if kind is None:
        return [Sent({})]
    if issubclass(kind, ListRequest):
        newest = them.ids["user"]  # the last of its things
        return [query(), query(starting_after=newest), query(ending_before=them.ids["source"])]
    raise AssertionError(f"{call.operation_name} has no line in REQUESTS")


def paths_of(call: Call, them: Tenant, us: Tenant, sent: Sent) -> list[str]:
    """The call's path with their ids, and where it has two ids also with the first of our own."""
    ours = {name: us.id_of(name, call.operation_name) for name in call.ids}
    if sent.on_ours:
        return [call.path.format(**ours)]
    theirs = {name: them.id_of(name, call.operation_name) for name in call.ids}
    paths = [call.path.format(**theirs)]
    if theirs.get("source") == them.ids["source"]:
        paths.append(call.path.format(**{**theirs, "source": them.ids["source slug"]}))
    if len(ours) > 1:
        paths.append(call.path.format(**{**theirs, call.ids[0]: ours[call.ids[0]]}))
    return paths


def expected(call: Call, sent: Sent, holder: str) -> int:
    """The status that a credential of one tenant gets for things of another."""
    scopes = {sent.scope} if sent.scope else set(call.operation.scopes)
    if call.is_for_anyone:
        return sent.foreign  # ids open nothing there, whatever credential comes with them
    if call.is_for_visitors:
        if holder not in VISITORS:
            return 401
    elif holder not in SCOPES:
        return 401
    elif not scopes & SCOPES[holder]:
        return 403
    elif scopes == {"operator"}:
        return status_of(call)  # all tenants are the operator's
    if call.ids or sent.foreign == 404:
        return 404
    return status_of(call)


async def send(served: Served, call: Call, path: str, sent: Sent, secret: str | None) -> httpx.Response:
    headers = {**headers_of(secret), "Accept": "application/json"}
    return await served.client.request(call.method, path, headers=headers, **sent.options)


async def test_nobody_reaches_what_is_another_tenants(tmp_path: Path) -> None:
    cells, wrong = 0, []
    async with serving(tmp_path, **NO_LIMITS) as served:
        operator = await operator_key(served)
        us = await make_tenant(served, operator, "otter")
        them = await make_tenant(served, operator, "zebra")
        secrets = {**us.keys, "operator": operator, "unknown": "fca_" + "0" * 32, "nobody": None}
        before = await rows_of(served, them)
        for call, holder in itertools.product(CALLS, CREDENTIALS):
            target = them
            if holder == "operator" and call.operation.scopes == ("operator",):
                target = await make_tenant(served, operator, _new()) if "tenant" in call.ids else us
            asked = [(path, sent) for sent in requests_of(call, target) for path in paths_of(call, target, us, sent)]
            for path, sent in asked:
                cells += 1
                response = await send(served, call, path, sent, secrets[holder])
                told = said(response, f"{path} {sent.options}")
                if response.status_code != expected(call, sent, holder):
                    wrong.append(f"{holder}: {call.method} {path} {sent.options} -> {response.status_code} {told}")
                elif holder != "operator" and any(word in told for word in (them.word, *them.ids.values())):
                    wrong.append(f"{holder}: {call.method} {path} {sent.options} tells {told}")
        after = await rows_of(served, them)
    assert wrong == [], "\n".join(wrong)
    assert [table for table in before if after[table] != before[table]] == []
    assert sum(len(rows) for rows in before.values()) >= 20
    print(f"{len(CALLS)} operations x {len(CREDENTIALS)} credentials: {cells} requests, all as specified")


async def test_owners_reach_their_own_and_the_audit_log_tells(tmp_path: Path) -> None:
    """The same requests, by whoever may make them: else the test above would show nothing."""
    async with serving(tmp_path, **NO_LIMITS) as served:
        operator = await operator_key(served)
        reading = await make_tenant(served, operator, "otter")
        for call in (call for call in CALLS if not call.is_for_anyone):
            us = reading if call.method == "GET" else await make_tenant(served, operator, _new())
            is_machines = call.operation.scopes == ("operator",)
            secret = operator if is_machines else us.keys["widget" if call.is_for_visitors else "admin"]
            for sent in requests_of(call, us):
                response = await send(served, call, paths_of(call, us, us, sent)[0], sent, secret)
                assert response.status_code == status_of(call), f"{call.operation_name}: {response.text}"
            if call.operation_name in IN_CONFLICT:
                continue
            if call.method != "GET" and not call.is_for_visitors and call.operation.scopes != ("read",):
                log = await served.app.db.rows(
                    "select tenant_id = ? as is_ours from audit_log where operation = ? order by id desc limit 2",
                    (us.ids["tenant"], call.operation_name),
                )
                told = is_machines or any(row["is_ours"] for row in log)
                assert log and told, f"{call.operation_name} wrote nothing into the audit log"


async def test_a_read_only_tenant_can_read_and_take_away_and_nothing_else(tmp_path: Path) -> None:
    """The same requests by owners whose trial is over."""
    async with serving(tmp_path, **NO_LIMITS) as served:
        operator = await operator_key(served)
        reading = await make_tenant(served, operator, "otter")
        await subscribe(served.app.db, reading.ids["tenant"], OVER, "canceled")
        refused = []
        for call in CALLS:
            if call.is_for_anyone or call.operation.scopes == ("operator",):
                continue
            us = reading
            if call.operation.while_read_only and call.method != "GET":
                us = await make_tenant(served, operator, _new())
                await subscribe(served.app.db, us.ids["tenant"], OVER, "canceled")
            secret = us.keys["widget" if call.is_for_visitors else "admin"]
            for sent in requests_of(call, us):
                response = await send(served, call, paths_of(call, us, us, sent)[0], sent, secret)
                wanted = status_of(call) if call.operation.while_read_only else 402
                assert response.status_code == wanted, f"{call.operation_name}: {response.text}"
            if not call.operation.while_read_only:
                assert response.json()["code"] == "read_only"
                refused.append(call.operation_name)
    goes_on = {name for name, found in OPERATIONS.items() if "write" in found.scopes and found.while_read_only}
    assert {"sources.create", "sources.recrawl", "keys.create", "chat.ask", "playground.ask"} <= set(refused)
    assert {name.partition(".")[2] for name in goes_on} <= {"revoke", "delete", "erase", "cancel", "pause"}


async def test_an_idempotency_key_is_one_of_its_tenant(tmp_path: Path) -> None:
    async with serving(tmp_path, **NO_LIMITS) as served:
        operator = await operator_key(served)
        made = []
        for word in ("otter", "zebra"):
            tenant = await make_tenant(served, operator, word)
            headers = {**headers_of(tenant.keys["admin"]), "Idempotency-Key": "the-same"}
            response = await served.client.post("/v1/users", json={"email": "x@shop.example"}, headers=headers)
            assert response.status_code == 201 and "Idempotent-Replayed" not in response.headers
            made.append(response.json()["id"])
        refused = await served.client.post(
            "/v1/users",
            json={"email": "x@shop.example"},
            headers={**headers_of(tenant.keys["reader"]), "Idempotency-Key": "the-same"},
        )
    assert made[0] != made[1]
    assert refused.status_code == 403
