"""The widget key of FlowChat's own homepage: derived from a secret file, because only hashes of keys are stored."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from flowchat.domain import Key, new_id, now
from flowchat.errors import FlowChatError
from flowchat.net import urls
from flowchat.services.context import Context
from flowchat.services.keys import hash_secret
from flowchat.services.tenants import DOCS_SLUG, system_actor
from flowchat.settings import Settings
from flowchat.store import audit_log, keys, sources
from flowchat.store.database import Connection

SECRET_FILE = "secret.key"  # noqa: S105 (a file's name)
DAILY_CAP = 1000
_PREFIX = "kbk_live_"
_NAME = "homepage"
_SECRET_BYTES = 32
_HERE = ("localhost", "127.0.0.1", "[::1]")
_ANYWHERE = ("0.0.0.0", "[::]")  # noqa: S104 (compared with, not bound to)


def homepage_key(app: Context) -> str:
    """May ask only the source `docs`, only from the appliance's own origin."""
    digest = hmac.new(_secret(app.settings.data_dir), _NAME.encode(), hashlib.sha256).hexdigest()
    return _PREFIX + digest[:32]


def _secret(data_dir: Path) -> bytes:
    path = data_dir / SECRET_FILE
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    fresh = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(_SECRET_BYTES))
        file.flush()
        os.fsync(descriptor)
    fresh.replace(path)
    return path.read_bytes()


async def ensure(app: Context) -> None:
    """Make the key at first start; let its origins follow the settings. A revoked one stays revoked."""
    actor = await system_actor(app.db)
    docs = await sources.get(app.db, actor.tenant_id, DOCS_SLUG)
    allowed = (own_origins(app.settings), (docs.id,) if docs else ())
    secret = homepage_key(app)
    present = await keys.by_hash(app.db, hash_secret(secret))
    if present is not None and (present.origins, present.sources) == allowed:
        return
    key = present or Key(
        id=new_id("key"),
        tenant_id=actor.tenant_id,
        type="widget",
        name=_NAME,
        prefix=_PREFIX,
        last_four=secret[-4:],
        mode="gate",
        scopes=(),
        origins=allowed[0],
        sources=allowed[1],
        daily_cap=DAILY_CAP,
        created_at=now(),
        revoked_at=None,
    )

    def transaction(conn: Connection) -> None:
        if present is None:
            keys.insert(conn, key, hash_secret(secret))
        else:
            keys.set_allowed(conn, key.id, *allowed)
        audit_log.insert(conn, actor, "keys.ensure_homepage", key.id, origins=allowed[0])

    await app.db.write(transaction)


def own_origins(settings: Settings) -> tuple[str, ...]:
    """The origins the appliance's own pages are opened at; a loopback address goes by several names."""
    parsed = urls.parse(settings.origin)
    if parsed is None:
        raise FlowChatError(
            "bad_setting", f"FLOWCHAT_PUBLIC_URL must be an http or https URL, not '{settings.origin}'."
        )
    names = _HERE if parsed.hostname in (*_HERE, *_ANYWHERE) else (parsed.hostname,)
    port = f":{parsed.port}" if parsed.port else ""
    return tuple(f"{parsed.protocol}//{name}{port}" for name in names)
