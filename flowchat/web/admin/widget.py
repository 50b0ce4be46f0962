"""The widget of a key: its look, what it shows besides answers, and how it is put on a page."""

import re
from dataclasses import dataclass
from urllib.parse import urlencode

from quart import Response, request

from flowchat.domain import Key, Source
from flowchat.services import keys, sources, tenants, validate
from flowchat.services.key_requests import KeyChange, WidgetFields
from flowchat.web.admin import embedding, shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.forms import Form
from flowchat.web.admin.tenant import generating_server
from flowchat.web.current import appliance

PAGE = "/admin/widget"
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Colour:
    """One of the CSS custom properties of contract, section 7, and its value on light and dark pages."""

    name: str
    title: str
    about: str
    light: str
    dark: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Another one; `options` are (value, label), the default first."""

    name: str
    title: str
    options: tuple[tuple[str, str], ...]


COLOURS = (
    Colour("accent", "Accent", "the bubble, buttons, the visitor's own messages, links", "#0d6b52", "#62cfa8"),
    Colour("on-accent", "On accent", "text and icons on it", "#ffffff", "#08251b"),
    Colour("surface", "Surface", "the panel and the answers", "#ffffff", "#1b1f25"),
    Colour("on-surface", "On surface", "text on it", "#1b1f23", "#e8eaed"),
    Colour("muted", "Muted", "hints and small print", "#565e66", "#a4adb6"),
)
CHOICES = (
    Choice(
        "radius", "Corners", (("12px", "round"), ("4px", "slightly round"), ("0px", "square"), ("20px", "very round"))
    ),
    Choice(
        "font",
        "Font",
        (
            ("inherit", "your page's"),
            ("system-ui, sans-serif", "the system's"),
            ("Georgia, serif", "with serifs"),
            ("ui-monospace, monospace", "typewriter"),
        ),
    ),
    Choice(
        "shadow",
        "Shadow",
        (
            ("0 8px 30px rgb(0 0 0 / 18%)", "soft"),
            ("0 12px 40px rgb(0 0 0 / 35%)", "strong"),
            ("none", "none"),
        ),
    ),
)
# (text, background, where): at least 4.5 to 1, WCAG 2.2, 1.4.3 (level AA).
CONTRASTS = (
    ("on-accent", "accent", "Buttons and own messages"),
    ("on-surface", "surface", "Answers"),
    ("accent", "surface", "Links and citations"),
    ("muted", "surface", "Small print"),
)


@blueprint.get("/widget")
@performs("keys.list", "keys.get", "sources.get", "tenant.get")
async def widget_show() -> Response:
    app, actor = appliance(), shell.actor()
    wanted = request.args.get("key") or next((key.id for key in await _widget_keys()), None)
    if wanted is None:
        return await shell.render("admin/widget/none.html")
    key = await keys.get(app, actor, wanted)
    if key.type != "widget":
        raise validate.invalid("key", "Only a widget key has a widget.")
    form = Form(
        {
            "starter_questions": key.widget.starter_questions,
            "contact_url": key.widget.contact_url,
            "texts": _lines(key.widget.texts),
        }
    )
    return await _show(key, form)


async def _widget_keys() -> list[Key]:
    """Those that may be changed, newest first."""
    own = await keys.list_all(appliance(), shell.actor())
    return [key for key in reversed(own) if key.type == "widget" and key.billed and key.revoked_at is None]


async def _show(key: Key, form: Form, status: int = 200) -> Response:
    app, actor = appliance(), shell.actor()
    source = await _source(key)
    slugs = await sources.slugs(app, actor)
    askable = [slug for ident, slug in slugs.items() if not key.sources or ident in key.sources]
    return await shell.render(
        "admin/widget/show.html",
        status,
        key=key,
        form=form,
        keys=[(one.id, f"{one.name or 'Without a name'} (…{one.last_four})") for one in await _widget_keys()],
        sources=[("", "all that the key may ask"), *((slug, slug) for slug in askable)],
        chosen=Form({"key": key.id, "source": source.slug if source else ""}),
        lines=embedding.lines(app.settings.origin, f"{key.prefix}YOUR_KEY", source),
        colours=COLOURS,
        choices=CHOICES,
        contrasts=CONTRASTS,
        tenant=await tenants.get_own(app, actor),
        generating_server=generating_server(),
    )


async def _source(key: Key) -> Source | None:
    """The one that was chosen, or the only one of the key. Raises NotFound."""
    wanted = request.args.get("source")
    if wanted is None and len(key.sources) == 1:
        wanted = key.sources[0]
    return await sources.get(appliance(), shell.actor(), wanted) if wanted else None


@blueprint.post("/widget/<key>")
@performs("keys.update", "keys.get")
async def widget_update(key: str) -> Response:
    app, actor, form = appliance(), shell.actor(), await Form.entered()
    with form:
        texts = _texts(form.value("texts"))
        widget = form.to(WidgetFields, lines=["starter_questions"], nullable=["contact_url"], texts=texts)
        await keys.update(app, actor, key, KeyChange(widget=widget))
        shown = urlencode({"key": key, **request.args})
        return await shell.done("Saved: the widget shows it from its next visitor on.", f"{PAGE}?{shown}")
    return await _show(await keys.get(app, actor, key), form, 422)


def _lines(texts: dict[str, str]) -> list[str]:
    r"""One text a line, `name = text`; a line break in it is `\n`, a backslash `\\`."""
    escaped = {
        name: re.sub(r"\r\n?", "\n", text.replace("\\", r"\\")).replace("\n", r"\n") for name, text in texts.items()
    }
    return [f"{name} = {text}" for name, text in escaped.items()]


def _texts(entered: str) -> dict[str, str]:
    """The texts of such lines. Raises FlowChatError `bad_texts`."""
    texts = {}
    for line in filter(None, (line.strip() for line in entered.split("\n"))):
        name, equals, text = line.partition("=")
        if not equals:
            raise validate.invalid("texts", f"There is no = in the line '{line[:60]}'. Write: name = text.")
        texts[name.strip()] = _ESCAPED.sub(lambda match: "\n" if match[1] == "n" else match[1], text.strip())
    return texts
