"""A tenant whose every text is hostile: what others could have written into pages, questions, names and answers."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from two_tenants import Tenant
from web_server import Served

from flowchat.domain import NewChunk, PageFacts, PageOutcome, new_id
from flowchat.store import chunks, pages
from flowchat.store.database import Connection

FAMILIES = Path(__file__).parent / "data" / "markup.toml"
GROUP = 20  # texts that share a name, where a list is no longer for having one each
TEXTS = {"title", "url", "heading", "text", "quote", "evidence", "sentence", "name", "slug", "error"}
PREFIXES = {"sources": "src", "keys": "key", "conversations": "cnv", "messages": "msg", "feedback": "fbk"}
PREFIXES |= {"curated_answers": "cur", "jobs": "job", "webhooks": "whe", "events": "evt", "deliveries": "del"}
PREFIXES |= {"users": "usr", "tenants": "ten", "documents": "doc", "audit_log": "aud", "sessions": "ses"}


def payloads() -> list[str]:
    """All of them, each once."""
    families = tomllib.loads(FAMILIES.read_text(encoding="utf-8")).values()
    return list(dict.fromkeys(_expanded(families)))


def _expanded(families: Any) -> Iterator[str]:
    for family in families:
        for frame in family["frames"]:
            for part in family["parts"]:
                yield frame.replace("@", part)


async def fill(served: Served, tenant: Tenant, texts: list[str]) -> None:
    """Write the texts into everything that the tenant has, as if none had been refused on its way in."""
    groups = [" ".join(texts[start : start + GROUP]) for start in range(0, len(texts), GROUP)]
    db = served.app.db
    await db.write(lambda conn: _fill_pages(conn, served, tenant, texts))
    await db.write(lambda conn: _fill_conversations(conn, tenant, texts, " ".join(texts)))
    await db.write(lambda conn: _fill_lists(conn, tenant, texts, groups))


def _fill_pages(conn: Connection, served: Served, tenant: Tenant, texts: list[str]) -> None:
    """Pages with a passage each, in the source's live version."""
    embedder = served.app.engines.embedder
    chunks.ensure_vectors(conn, embedder.dims)
    row = conn.execute("select seq from versions where id = ?", (tenant.ids["version"],)).fetchone()
    vectors = embedder.embed_passages(["one"])
    for number, text in enumerate(texts):
        url = f"https://shop.example/{number}?{text}"
        outcome = PageOutcome(url, 0, "indexed", title=text, facts=PageFacts(description=text))
        if number % 3 == 2:
            pages.finish(conn, row["seq"], PageOutcome(url, 0, "skipped", reason=text, title=text))
            continue
        page = pages.finish(conn, row["seq"], outcome)
        chunks.insert(conn, row["seq"], page, text, [NewChunk(text, (text,), text)], vectors)


def _fill_conversations(conn: Connection, tenant: Tenant, texts: list[str], everything: str) -> None:
    """A conversation for each text, half of them refused and unanswered; the newest answer has all texts."""
    message = dict(conn.execute("select * from messages where id = ?", (tenant.ids["message"],)).fetchone())
    vector = conn.execute("select embedder, vector from curated_answers limit 1").fetchone()
    for number, text in enumerate(texts):
        is_last = number == len(texts) - 1
        conversation = _clone(conn, "conversations", tenant.ids["conversation"], {"visitor_id": text})
        said = everything if is_last else text
        change: dict[str, Any] = {
            name: json.dumps(_hostile(json.loads(message[name]), said)) for name in ("chunks", "citations", "verdicts")
        }
        is_refused = number % 2 == 1 and not is_last
        change |= {"rowid": None, "conversation_id": conversation, "query": text, "answer": said}
        ident = _clone(conn, "messages", message["id"], {**change, "refusal": int(is_refused), "reason": text})
        about = {"message_id": ident, "tenant_id": tenant.ids["tenant"]}
        _clone(conn, "feedback", tenant.ids["feedback"], {**about, "reason": text})
        if is_refused:
            conn.execute(
                "insert into unanswered values (?, ?, ?, ?, ?)",
                (ident, about["tenant_id"], vector["embedder"], vector["vector"], message["created_at"]),
            )


def _fill_lists(conn: Connection, tenant: Tenant, texts: list[str], groups: list[str]) -> None:
    ids = tenant.ids
    for text in texts:
        answer = {"question": text, "answer": text, "url": f"https://shop.example/?{text}", "chunk_id": new_id("chk")}
        _clone(conn, "curated_answers", ids["curated_answer"], answer)
        log = {"actor": text, "operation": text, "target": text, "address": text, "detail": json.dumps({text: text})}
        _clone(conn, "audit_log", _one(conn, "audit_log", ids["tenant"]), log)
    session = conn.execute("select id from sessions order by created_at desc limit 1").fetchone()["id"]
    for number, text in enumerate(groups):
        address = f"https://shop.example/?{text}"
        cloned: dict[str, tuple[str, dict[str, Any]]] = {
            "sources": (ids["source"], {"slug": f"hostile-{number}", "name": text, "url": address, "last_crawl": None}),
            "documents": (ids["document"], {"name": text, "url": address}),
            "jobs": (ids["job"], {"status": "failed", "error": text}),
            "webhooks": (ids["webhook"], {"url": address, "description": text, "disabled_reason": text}),
            "users": (ids["user"], {"email": text, "name": text}),
            "tenants": (ids["tenant"], {"slug": f"hostile-{number}", "name": text}),
            "sessions": (session, {"hash": text, "user_agent": text, "address": text}),
        }
        for table, (ident, change) in cloned.items():
            _clone(conn, table, ident, change)
        key = {"name": text, "hash": text, "origins": json.dumps([text]), "revoked_at": None, "rotated_to": None}
        _clone(conn, "keys", ids["key"], key)
        event = _clone(conn, "events", ids["event"], {"data": json.dumps({"source": text, "slug": text, "url": text})})
        attempt = {
            "at": "2026-11-20T09:30:00.000Z",
            "http_status": 500,
            "duration_ms": 12,
            "response": text,
            "error": text,
        }
        _clone(conn, "deliveries", ids["delivery"], {"event_id": event, "attempts": json.dumps([attempt])})
    conn.execute("update sources set name = ? where id = ?", (groups[0], ids["source"]))
    conn.execute("update tenants set name = ? where id = ?", (groups[0], ids["tenant"]))


def _one(conn: Connection, table: str, tenant_id: str) -> str:
    sql = f"select id from {table} where tenant_id = ? limit 1"
    return str(conn.execute(sql, (tenant_id,)).fetchone()["id"])


def _clone(conn: Connection, table: str, ident: str, change: dict[str, Any]) -> str:
    """Another row like that one; returns its id."""
    row = dict(conn.execute(f"select * from {table} where id = ?", (ident,)).fetchone())
    row |= {"id": new_id(PREFIXES[table]), **change}
    marks = ", ".join("?" * len(row))
    conn.execute(f"insert into {table} ({', '.join(row)}) values ({marks})", tuple(row.values()))
    return str(row["id"])


def _hostile(value: Any, text: str, name: str = "") -> Any:
    """The same JSON with the text in place of what people may have written."""
    if isinstance(value, dict):
        return {key: _hostile(inner, text, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_hostile(inner, text, name) for inner in value]
    return text if isinstance(value, str) and name in TEXTS else value
