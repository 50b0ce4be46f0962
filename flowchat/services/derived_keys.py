"""Widget keys of FlowChat's own: derived from a secret file, because only hashes of keys are stored."""

from dataclasses import replace
from pathlib import Path

from flowchat.domain import Actor, Caps, Key, WidgetConfig, new_id, now
from flowchat.services import vault
from flowchat.services.context import Context
from flowchat.services.credentials import hash_secret
from flowchat.store import audit_log, keys
from flowchat.store.database import Connection

_KEY_CHARS = 32


def secret_of(data_dir: Path, prefix: str, name: str) -> str:
    """The key of that name, the same every time."""
    return prefix + vault.derive(data_dir, name).hex()[:_KEY_CHARS]


async def ensure(
    app: Context,
    actor: Actor,
    secret: str,
    *,
    name: str,
    origins: tuple[str, ...],
    sources: tuple[str, ...],
    daily_cap: int | None,
    starter_questions: tuple[str, ...] = (),
) -> Key:
    """The stored key of that secret, made or changed as needed. A revoked one stays revoked."""
    widget = WidgetConfig(starter_questions)
    present = await keys.by_hash(app.db, hash_secret(secret))
    if present is not None and (present.origins, present.sources, present.widget) == (origins, sources, widget):
        return present
    key = present and replace(present, origins=origins, sources=sources, widget=widget)
    key = key or Key(
        id=new_id("key"),
        tenant_id=actor.tenant_id,
        type="widget",
        name=name,
        prefix=secret[:-_KEY_CHARS],
        last_four=secret[-4:],
        mode="gate",
        scopes=(),
        origins=origins,
        sources=sources,
        created_at=now(),
        caps=Caps(daily=daily_cap),
        widget=widget,
        billed=False,
    )

    def transaction(conn: Connection) -> None:
        if present is None:
            keys.insert(conn, key, hash_secret(secret))
        else:
            keys.update(conn, key)
        audit_log.insert(conn, actor, "keys.ensure", key.id, name=name, origins=origins)

    await app.db.write(transaction)
    return key


async def command_line_key(app: Context, actor: Actor) -> tuple[Key, str]:
    """A test key without a cap, for what the operator asks on this machine; no page may use it.

    The same one every time, and the next one where it was revoked.
    """
    number = 1
    while True:
        secret = secret_of(app.settings.data_dir, "kbk_test_", f"command line {number} of {actor.tenant_id}")
        key = await ensure(app, actor, secret, name="command line", origins=(), sources=(), daily_cap=None)
        if key.revoked_at is None:
            return key, secret
        number += 1
