"""Keys: making, using, revoking them; and the homepage's own."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from appliance import operator, running

from flowchat.domain import Actor
from flowchat.errors import FlowChatError
from flowchat.services import credentials, derived_keys, homepage, keys, sources, startup, tenants, vault
from flowchat.services.context import Appliance
from flowchat.services.key_requests import (
    CapsFields,
    KeyChange,
    NewAdminKey,
    NewKey,
    NewOperatorKey,
    NewWidgetKey,
    Rotation,
)
from flowchat.services.lists import ListRequest
from flowchat.settings import Settings

ORIGIN = "https://shop.example"


async def make(app: Appliance, new: NewKey) -> str:
    _, secret = await keys.create(app, await operator(app), new)
    return secret


async def status_of(app: Appliance, secret: str | None, origin: str | None = None) -> int:
    """As the HTTP status: 200 where the widget key is good."""
    try:
        await credentials.authenticate_widget(app, secret, origin)
    except FlowChatError as error:
        return error.status
    return 200


@pytest.mark.parametrize(
    ("new", "prefix", "scopes"),
    [
        (NewWidgetKey(), "kbk_live_", ()),
        (NewWidgetKey(test=True), "kbk_test_", ()),
        (NewAdminKey(), "fca_", ("read", "write", "billing")),
        (NewAdminKey(scopes=("read",)), "fca_", ("read",)),
        (NewOperatorKey(), "fca_", ("operator",)),
    ],
)
async def test_a_key_is_shown_once_and_stored_as_a_hash(
    tmp_path: Path, new: NewKey, prefix: str, scopes: tuple[str, ...]
) -> None:
    async with running(tmp_path) as app:
        key, secret = await keys.create(app, await operator(app), new)
        assert secret.startswith(prefix) and len(secret.removeprefix(prefix)) == 32
        assert (key.prefix, key.last_four, key.scopes) == (prefix, secret[-4:], scopes)
        assert await keys.list_all(app, await operator(app)) == [key]
        stored = [str(value) for row in await app.db.rows("select * from keys") for value in tuple(row)]
        assert not [text for text in stored if secret.removeprefix(prefix) in text]
        audited = await app.db.rows("select operation, target from audit_log where operation = 'keys.create'")
        assert [tuple(row) for row in audited] == [("keys.create", key.id)]


async def test_secrets_differ(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        assert len({await make(app, NewWidgetKey()) for _ in range(5)}) == 5


async def test_test_keys_are_capped(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        actor = await operator(app)
        caps = [
            (await keys.create(app, actor, NewWidgetKey(test=True, caps=CapsFields(daily=cap))))[0].caps.daily
            for cap in (None, 7, 999)
        ]
        assert caps == [100, 7, 100]


@pytest.mark.parametrize(
    ("allowed", "origin", "status"),
    [
        ((), None, 200),  # servers and curl
        ((), ORIGIN, 403),
        ((ORIGIN,), ORIGIN, 200),
        (("https://SHOP.example:443/",), ORIGIN, 200),
        ((ORIGIN,), "http://shop.example", 403),
        ((ORIGIN,), "https://shop.example:8443", 403),
        ((ORIGIN,), "https://shop.example.evil.example", 403),
        ((ORIGIN,), "null", 403),
        (("*.shop.example",), "https://www.shop.example", 200),
        (("*.shop.example",), "https://a.b.shop.example:8443", 200),
        (("*.shop.example",), ORIGIN, 403),
        (("*.shop.example",), "https://evilshop.example", 403),
        (("http://127.0.0.1:8080",), "http://127.0.0.1:8080", 200),
        (("http://[::1]:8080",), "http://[::1]:8080", 200),
        (("*",), "https://anywhere.example", 200),
        (("https://xn--bcher-kva.example",), "https://xn--bcher-kva.example", 200),
        (("https://xn--a.example",), "https://shop.example", 403),  # no URL after all
    ],
)
async def test_origins(tmp_path: Path, allowed: tuple[str, ...], origin: str | None, status: int) -> None:
    async with running(tmp_path) as app:
        assert await status_of(app, await make(app, NewWidgetKey(origins=allowed)), origin) == status


async def test_who_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        widget, admin = await make(app, NewWidgetKey()), await make(app, NewAdminKey())
        assert [await status_of(app, secret) for secret in (None, "", "kbk_live_x", admin)] == [401] * 4
        for token in (None, "", "fca_x", widget):
            with pytest.raises(FlowChatError) as caught:
                await credentials.authenticate_bearer(app, token, "192.0.2.1")
            assert caught.value.status == 401


async def test_a_bearer_key_may_what_its_scopes_say(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        key, secret = await keys.create(app, await operator(app), NewAdminKey(name="ci"))
        admin = await credentials.authenticate_bearer(app, secret, "192.0.2.1")
        assert (admin.name, admin.address) == (f"key {key.id} (ci)", "192.0.2.1")
        assert await keys.list_all(app, admin) == [key]
        with pytest.raises(FlowChatError) as caught:
            await keys.create(app, admin, NewOperatorKey())
        assert (caught.value.code, caught.value.status) == ("scope_missing", 403)
        machine = await credentials.authenticate_bearer(app, await make(app, NewOperatorKey()), "")
        with pytest.raises(FlowChatError, match="read"):
            await sources.list_page(app, machine, ListRequest())


async def test_nobody_gets_a_scope_through_a_key(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        everything = await operator(app)
        writer = Actor(everything.tenant_id, "writer", frozenset({"read", "write"}))
        machine_key, _ = await keys.create(app, everything, NewOperatorKey())
        admin_key, _ = await keys.create(app, everything, NewAdminKey())
        reader_key, _ = await keys.create(app, writer, NewAdminKey(scopes=("read",)))
        attempts = (
            keys.create(app, writer, NewAdminKey()),
            keys.create(app, writer, NewOperatorKey()),
            keys.rotate(app, writer, admin_key.id, Rotation()),
            keys.rotate(app, writer, machine_key.id, Rotation()),
            keys.update(app, writer, machine_key.id, KeyChange(name="mine")),
            keys.revoke(app, writer, machine_key.id),
        )
        for attempt in attempts:
            with pytest.raises(FlowChatError) as caught:
                await attempt
            assert (caught.value.code, caught.value.status) == ("scope_missing", 403)
        await keys.rotate(app, writer, reader_key.id, Rotation())
        await keys.revoke(app, writer, admin_key.id)


async def test_an_expired_key_says_so(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        actor = await operator(app)
        key, secret = await keys.create(app, actor, NewWidgetKey(expires_at=datetime(2020, 5, 4, tzinfo=UTC)))
        with pytest.raises(FlowChatError, match="expired on 2020-05-04"):
            await credentials.authenticate_widget(app, secret, None)
        await keys.update(app, actor, key.id, KeyChange(expires_at=None))
        assert await status_of(app, secret) == 200


@pytest.mark.parametrize("moment", [datetime.min, datetime.max])
async def test_the_ends_of_the_calendar(tmp_path: Path, moment: datetime) -> None:
    async with running(tmp_path) as app:
        for hours in (-14, 14):
            expires_at = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
            key, _ = await keys.create(app, await operator(app), NewWidgetKey(expires_at=expires_at))
            assert key.expires_at and key.expires_at[:4] in ("0001", "9999")


async def test_flowchats_own_keys_can_only_be_revoked(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        actor = await operator(app)
        key, _ = await derived_keys.command_line_key(app, actor)
        for attempt in (keys.rotate(app, actor, key.id, Rotation()), keys.update(app, actor, key.id, KeyChange())):
            with pytest.raises(FlowChatError) as caught:
                await attempt
            assert (caught.value.code, caught.value.status) == ("own_key", 409)


async def test_the_command_line_has_one_key(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        actor = await operator(app)
        key, secret = await derived_keys.command_line_key(app, actor)
        assert await derived_keys.command_line_key(app, actor) == (key, secret)
        assert (key.name, key.prefix, key.caps.daily, key.last_four) == ("command line", "kbk_test_", None, secret[-4:])
        assert (await status_of(app, secret), await status_of(app, secret, ORIGIN)) == (200, 403)
        await keys.revoke(app, actor, key.id)
        other, _ = await derived_keys.command_line_key(app, actor)
        assert (other.revoked_at, len(await keys.list_all(app, actor))) == (None, 2)


async def test_the_first_admin_key_is_made_once(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        secret = await startup.first_admin_key(app)
        actor = await credentials.authenticate_bearer(app, secret, "")
        assert actor.tenant_id == (await tenants.ensure_first(app.db)).id
        await keys.revoke(app, actor, (await keys.list_all(app, actor))[0].id)
        assert await startup.first_admin_key(app) is None


async def test_the_homepage_key_survives_restarts_and_follows_the_address(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        await tenants.ensure_first(app.db)
        await homepage.ensure(app)
        secret = homepage.homepage_key(app)
        key = await credentials.authenticate_widget(app, secret, "http://localhost:8080")
        docs = await sources.get(app, await operator(app), "docs")
        assert (key.sources, key.mode, key.caps.daily) == ((docs.id,), "gate", 1000)
        assert await status_of(app, secret, "http://127.0.0.1:8080") == 200
        assert await status_of(app, secret, "https://chat.example.com") == 403
        assert (tmp_path / vault.SECRET_FILE).stat().st_mode & 0o777 == 0o600
    async with running(tmp_path, public_url="https://chat.example.com/") as app:
        await homepage.ensure(app)
        assert homepage.homepage_key(app) == secret
        assert await status_of(app, secret, "https://chat.example.com") == 200
        assert await status_of(app, secret, "http://localhost:8080") == 403
        await keys.revoke(app, await operator(app), key.id)
        await homepage.ensure(app)
        assert await status_of(app, secret) == 401


@pytest.mark.parametrize(
    ("settings", "origins"),
    [
        (Settings(), ("http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080")),
        (Settings(host="::1", port=80), ("http://localhost", "http://127.0.0.1", "http://[::1]")),
        (Settings(host="192.0.2.7"), ("http://192.0.2.7:8080",)),
        (Settings(public_url="https://Chat.Example.com:443/base"), ("https://chat.example.com",)),
    ],
)
def test_own_origins(settings: Settings, origins: tuple[str, ...]) -> None:
    assert homepage.own_origins(settings) == origins


def test_an_address_that_is_none() -> None:
    with pytest.raises(FlowChatError, match="FLOWCHAT_PUBLIC_URL"):
        homepage.own_origins(Settings(public_url="chat.example.com"))
