"""The widget key of FlowChat's own homepage."""

from flowchat.errors import FlowChatError
from flowchat.net import urls
from flowchat.services import derived_keys
from flowchat.services.context import Context
from flowchat.services.tenants import system_actor
from flowchat.settings import Settings
from flowchat.store import sources

DAILY_CAP = 1000
EXAMPLES = (
    "How does FlowChat check its answers?",
    "How do I crawl my website?",
    "What does it need to run?",
    "How do I verify a webhook?",
    "Who won the 1998 World Cup?",
)
_PREFIX = "kbk_live_"
_NAME = "homepage"
_HERE = ("localhost", "127.0.0.1", "[::1]")
_ANYWHERE = ("0.0.0.0", "[::]")  # noqa: S104 (compared with, not bound to)


def homepage_key(app: Context) -> str:
    """May ask only the source `docs`, only from the appliance's own origin."""
    return derived_keys.secret_of(app.settings.data_dir, _PREFIX, _NAME)


async def ensure(app: Context) -> None:
    """Make the key at first start; let its origins follow the settings. A revoked one stays revoked."""
    docs = await sources.builtin(app.db)
    if docs is None:
        return  # deleted: a key without any source would be one for all of them
    actor = await system_actor(app.db)
    await derived_keys.ensure(
        app,
        actor,
        homepage_key(app),
        name=_NAME,
        origins=own_origins(app.settings),
        sources=(docs.id,),
        daily_cap=DAILY_CAP,
        starter_questions=EXAMPLES[:3],
    )


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
