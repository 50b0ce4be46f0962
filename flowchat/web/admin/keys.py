"""Keys: list, make, show, change, rotate, revoke. A secret is shown only in the answer to what made it."""

import re

from msgspec import UNSET, structs
from quart import Response, request

from flowchat.domain import Actor, Key, now
from flowchat.services import keys, sources
from flowchat.services.key_requests import KeyChange, NewAdminKey, NewKey, NewOperatorKey, NewWidgetKey, Rotation
from flowchat.services.lists import MAX_LIMIT, ListRequest
from flowchat.web.admin import key_usage, shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.embedding import embedding
from flowchat.web.admin.forms import Form
from flowchat.web.admin.source_names import SourceName, source_names, titles
from flowchat.web.current import appliance

LIST = "/admin/keys"
_NUMBERS = ("caps.daily", "caps.monthly", "limits.per_minute", "limits.visitor_per_minute")
_SECONDS = len("2030-01-31T12:00:00")
_MINUTES = len("2030-01-31T12:00")


@blueprint.get("/keys")
@performs("keys.list", "usage.list")
async def keys_list() -> Response:
    asked = shell.query(ListRequest)
    listed = await keys.list_page(appliance(), shell.actor(), asked)
    return await shell.render(
        "admin/keys/list.html",
        keys=listed.items,
        usage=await key_usage.by_key(appliance(), shell.actor()),
        days=key_usage.DAYS,
        now=now(),
        paging=shell.paging(listed, asked),
    )


@blueprint.get("/keys/new")
@performs("keys.create", "sources.list")
async def keys_new() -> Response:
    """Filled in for the source that the address names, or for all of the tenant's own."""
    wanted = request.args.get("source")
    listed = await sources.list_page(appliance(), shell.actor(), ListRequest(limit=MAX_LIMIT))
    present = [source for source in listed.items if source.status != "revoked"]
    chosen = [one for one in present if (wanted in (one.id, one.slug) if wanted else not one.is_builtin)]
    origins = dict.fromkeys(_as_origin(source.url) for source in chosen if source.url)
    name = chosen[0].name if len(chosen) == 1 else ""
    ticked = [source.id for source in chosen]
    filled_in = {"type": "widget", "mode": "gate", "name": name, "sources": ticked, "origins": list(origins)}
    return await _new(Form(filled_in))


@blueprint.get("/keys/new/admin")
@performs("keys.create")
async def keys_admin_new() -> Response:
    return await _new(Form({"type": "admin", "scopes": ["read"]}))


@blueprint.get("/keys/new/operator")
@performs("keys.create")
async def keys_operator_new() -> Response:
    return await _new(Form({"type": "operator"}))


async def _new(form: Form, status: int = 200) -> Response:
    return await shell.render("admin/keys/new.html", status, form=form, sources=_choices(await source_names()))


def _choices(names: dict[str, SourceName]) -> list[tuple[str, str, str]]:
    return [(ident, source.name, source.slug) for ident, source in names.items()]


@blueprint.post("/keys")
@performs("keys.create")
async def keys_create() -> Response:
    form = await Form.entered()
    with form:
        return await _show_once(await keys.create(appliance(), shell.actor(), _asked(form)))
    return await _new(form, 422)


def _asked(form: Form) -> NewKey:
    expires_at = _moment(form.value("expires_at"))
    match form.value("type"):
        case "admin":
            return form.to(NewAdminKey, lists=["scopes"], expires_at=expires_at)
        case "operator":
            return form.to(NewOperatorKey, expires_at=expires_at)
        case _:
            return form.to(
                NewWidgetKey,
                origins=_origins(form),
                lists=["sources"],
                numbers=_NUMBERS,
                nullable=_NUMBERS,
                flags=["test"],
                expires_at=expires_at,
            )


def _origins(form: Form) -> list[str]:
    return [_as_origin(line.strip()) for line in form.value("origins").splitlines() if line.strip()]


def _as_origin(address: str) -> str:
    """The origin of a page's address, which is what people have at hand. Patterns stay as they are."""
    if address.startswith("*"):
        return address
    scheme, _, rest = (address if "://" in address else f"https://{address}").partition("://")
    host = re.split("[/?#]", rest, maxsplit=1)[0]
    return f"{scheme}://{host}" if host else address


def _moment(text: str) -> str | None:
    """What a field of a date and a time (in UTC) says, as the API wants it. Browsers leave out seconds that are 0."""
    text = text.strip()
    if not text:
        return None
    return f"{text}:00Z" if len(text) == _MINUTES else f"{text}Z" if len(text) == _SECONDS else text


async def _show_once(made: tuple[Key, str]) -> Response:
    key, secret = made
    lines = await embedding(appliance(), shell.actor(), key, secret) if key.type == "widget" else ""
    return await shell.render(
        "admin/keys/created.html", key=key, secret=secret, lines=lines, origin=appliance().settings.origin
    )


@blueprint.get("/keys/<key>")
@performs("keys.get", "usage.list")
async def keys_show(key: str) -> Response:
    app, actor = appliance(), shell.actor()
    shown = await keys.get(app, actor, key)
    usage = await key_usage.by_key(app, actor)
    return await shell.render(
        "admin/keys/show.html",
        key=shown,
        may_change=_may_change(actor, shown),
        sources=titles(await source_names()),
        usage=usage.get(shown.id, key_usage.KeyUsage()),
        days=key_usage.DAYS,
        now=now(),
    )


def _may_change(actor: Actor, key: Key) -> bool:
    """What the buttons are shown by; the services decide."""
    needed = {*key.scopes, "operator" if key.type == "operator" else "write"}
    return key.revoked_at is None and key.billed and needed <= actor.scopes


@blueprint.get("/keys/<key>/edit")
@performs("keys.get", "keys.update")
async def keys_edit(key: str) -> Response:
    shown = await keys.get(appliance(), shell.actor(), key)
    form = Form(
        {
            "name": shown.name,
            "origins": shown.origins,
            "sources": shown.sources,
            "mode": shown.mode,
            "caps.daily": shown.caps.daily,
            "caps.monthly": shown.caps.monthly,
            "limits.per_minute": shown.limits.per_minute,
            "limits.visitor_per_minute": shown.limits.visitor_per_minute,
            "expires_at": _shown_moment(shown),
        }
    )
    return await _edit(shown, form)


async def _edit(key: Key, form: Form, status: int = 200) -> Response:
    names = await source_names()
    gone = [(source, "A revoked source", source) for source in key.sources if source not in names]
    return await shell.render("admin/keys/edit.html", status, key=key, form=form, sources=[*_choices(names), *gone])


@blueprint.post("/keys/<key>")
@performs("keys.update", "keys.get")
async def keys_update(key: str) -> Response:
    app, actor, form = appliance(), shell.actor(), await Form.entered()
    present = await keys.get(app, actor, key)
    with form:
        changed = await keys.update(app, actor, key, _change(form, present))
        return await shell.done(f"{changed.name or 'The key'} is changed.", f"{LIST}/{changed.id}")
    return await _edit(present, form, 422)


def _change(form: Form, present: Key) -> KeyChange:
    """What was entered. Sources and expiry that were left as they are stay so even where nobody could choose them."""
    expires_at = _moment(form.value("expires_at"))
    if present.type != "widget":
        change = form.to(KeyChange, expires_at=expires_at)
    else:
        change = form.to(
            KeyChange,
            origins=_origins(form),
            lists=["sources"],
            numbers=_NUMBERS,
            nullable=_NUMBERS,
            expires_at=expires_at,
        )
    if form.value("expires_at") == _shown_moment(present):
        change = structs.replace(change, expires_at=UNSET)
    if set(form.all("sources")) == set(present.sources):
        change = structs.replace(change, sources=UNSET)
    return change


def _shown_moment(key: Key) -> str:
    return (key.expires_at or "")[:_SECONDS]


@blueprint.post("/keys/<key>/rotate")
@performs("keys.rotate")
async def keys_rotate(key: str) -> Response:
    form = await Form.entered()
    with form:
        rotation = form.to(Rotation, numbers=["grace_s"], expires_at=_moment(form.value("expires_at")))
        return await _show_once(await keys.rotate(appliance(), shell.actor(), key, rotation))
    return await shell.done(form.message, f"{LIST}/{key}", "bad")


@blueprint.post("/keys/<key>/revoke")
@performs("keys.revoke")
async def keys_revoke(key: str) -> Response:
    text = "The key is revoked: it is refused from now on."
    return await shell.act(keys.revoke(appliance(), shell.actor(), key), to=f"{LIST}/{key}", text=text)
