"""The lines of HTML that put a widget on a page (contract, section 7)."""

from html import escape

from flowchat.domain import Actor, Key, Source
from flowchat.services import sources
from flowchat.services.context import Appliance

DEFAULT_LOCALE = "en"


async def embedding(app: Appliance, actor: Actor, key: Key, secret: str) -> str:
    """For a key: of its source, where it may ask just one."""
    source = await sources.get(app, actor, key.sources[0]) if len(key.sources) == 1 else None
    return lines(app.settings.origin, secret, source)


def lines(origin: str, secret: str, source: Source | None) -> str:
    """Without a source, the widget asks all that its key may ask."""
    attributes = {"data-key": secret}
    if source is not None:
        attributes["data-source"] = source.slug
    attributes["data-locale"] = source.locale if source is not None else DEFAULT_LOCALE
    told = " ".join(f'{name}="{escape(value)}"' for name, value in attributes.items())
    return f'<script src="{escape(origin)}/v1.js" defer></script>\n<flowchat-widget {told}></flowchat-widget>'
