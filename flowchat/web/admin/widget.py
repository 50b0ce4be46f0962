"""The widget of a key: its look, what it shows besides answers, and how it is put on a page."""

import re
from dataclasses import asdict
from urllib.parse import urlencode

from quart import Response, request

from flowchat.domain import Key, Source
from flowchat.services import keys, sources, tenants, validate
from flowchat.services.key_requests import KeyChange, WidgetFields
from flowchat.web import widget, widget_look
from flowchat.web.admin import embedding, shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.forms import Form
from flowchat.web.admin.source_names import source_names
from flowchat.web.admin.tenant import generating_server
from flowchat.web.current import appliance

PAGE = "/admin/widget"
_ESCAPED = re.compile(r"\\(.)")


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
    tenant = await tenants.get_own(app, actor)
    source = await _source(key)
    askable = [one for ident, one in (await source_names()).items() if not key.sources or ident in key.sources]
    return await shell.render(
        "admin/widget/show.html",
        status,
        key=key,
        form=form,
        keys=[(one.id, f"{one.name or 'Without a name'} (…{one.last_four})") for one in await _widget_keys()],
        sources=[("", "all that the key may ask"), *((one.slug, one.title) for one in askable)],
        chosen=Form({"key": key.id, "source": source.slug if source else ""}),
        lines=embedding.lines(app.settings.origin, f"{key.prefix}YOUR_KEY", source),
        pinned=widget.pinned_line(app.settings.origin),
        look=widget_look,
        preview={"id": key.id, "sources": key.sources, "mode": key.mode, "widget": asdict(key.widget)},
        locale=source.locale if source else embedding.DEFAULT_LOCALE,
        tenant=tenant,
        company=tenants.company(tenant),
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
        fields = form.to(WidgetFields, lines=["starter_questions"], nullable=["contact_url"], texts=texts)
        await keys.update(app, actor, key, KeyChange(widget=fields))
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
