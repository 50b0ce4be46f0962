"""The revocation list: durable, rebuilt at start, followed across processes, and the end of open streams."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from appliance import operator, running
from web_server import Served, add_source, asking, names, serving

from flowchat.app import open_context
from flowchat.domain import now
from flowchat.errors import FlowChatError
from flowchat.services import credentials, keys, sources
from flowchat.services.context import Context
from flowchat.services.key_requests import NewWidgetKey
from flowchat.services.revocations import LOG_FILE, Revocations
from flowchat.store import revocations


async def is_refused(app: Context, secret: str) -> bool:
    try:
        await credentials.authenticate_widget(app, secret, None)
    except FlowChatError as error:
        assert error.status == 401 and "revoked" in error.message
        return True
    return False


async def test_a_revocation_is_logged_once_and_noticed_once(tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []
    here = Revocations(tmp_path, lambda kind, ident: seen.append((kind, ident)))
    await here.add("key", "key_1", "key_2")
    await here.add("key", "key_1")
    await here.follow()
    assert "key_1" in here and "key_3" not in here
    lines = [json.loads(line) for line in (tmp_path / LOG_FILE).read_text().splitlines()]
    assert [(line["kind"], line["id"]) for line in lines] == [("key", "key_1"), ("key", "key_2")]
    assert all(line["time"] <= now() for line in lines)
    assert seen == [("key", "key_1"), ("key", "key_2")]


async def test_what_other_processes_revoke_is_followed(tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []
    here, there = Revocations(tmp_path, lambda kind, ident: seen.append((kind, ident))), Revocations(tmp_path)
    await here.follow()  # there is no log yet
    await there.add("key", "key_1")
    await here.follow()
    await there.add("source", "src_1")
    with (tmp_path / LOG_FILE).open("ab") as log:
        log.write(b'{"kind": "key", "id": "key_half')  # a line that is still being written
    await here.follow()
    assert seen == [("key", "key_1"), ("source", "src_1")]
    await there.add("key", "key_2")  # the broken line does not swallow it
    await here.follow()
    assert "key_2" in here and "key_half" not in here
    (tmp_path / LOG_FILE).unlink()
    await there.add("key", "key_3")
    await here.follow()
    assert "key_3" in here


async def test_an_old_backup_does_not_bring_a_revoked_key_back(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        actor = await operator(app)
        shop = await add_source(app, "shop", is_live=True)
        await app.db.write(lambda conn: conn.execute("update sources set auth = 'basic:sealed'") and None)
        key, secret = await keys.create(app, actor, NewWidgetKey())
        other, other_secret = await keys.create(app, actor, NewWidgetKey())
        shutil.copytree(tmp_path, tmp_path.with_name("backup"), dirs_exist_ok=True)
        await keys.revoke(app, actor, key.id)
        await app.db.write(lambda conn: revocations.apply(conn, "source", shop.id, now()))
        await app.revocations.add("source", shop.id)
    for name in ("flowchat.db", "flowchat.db-wal", "flowchat.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
        if (tmp_path.with_name("backup") / name).exists():
            shutil.copy(tmp_path.with_name("backup") / name, tmp_path / name)
    async with running(tmp_path) as app:
        assert not await is_refused(app, secret)  # the backup knows nothing of it
        await app.revocations.rebuild(app.db)
        assert (await is_refused(app, secret), await is_refused(app, other_secret)) == (True, False)
        assert (await keys.get(app, actor, key.id)).revoked_at is not None
        revoked = await sources.get(app, actor, "shop")
        assert (revoked.status, revoked.auth) == ("revoked", None)
        audited = await app.db.rows(
            "select operation, target from audit_log where actor = 'revocation log' order by id"
        )
        assert {tuple(row) for row in audited} == {("keys.revoke", key.id), ("sources.revoke", shop.id)}
        assert other.id not in app.revocations


async def test_what_only_the_database_knows_is_logged_at_start(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        actor = await operator(app)
        key, _ = await keys.create(app, actor, NewWidgetKey())
        await app.db.write(lambda conn: revocations.apply(conn, "key", key.id, now()))
        await app.revocations.rebuild(app.db)
        assert key.id in app.revocations and key.id in (tmp_path / LOG_FILE).read_text()
        size = (tmp_path / LOG_FILE).stat().st_size
    async with running(tmp_path) as app:
        await app.revocations.rebuild(app.db)
        assert key.id in app.revocations
        assert (tmp_path / LOG_FILE).stat().st_size == size


@pytest.mark.parametrize("other_process", [False, True])
async def test_a_revoked_key_ends_its_streams_and_no_others(tmp_path: Path, other_process: bool) -> None:
    async with serving(tmp_path) as served:
        go_on = served.answerer.hold_back()
        async with asking(served, Idempotency_Key="k1") as revoked_events:
            await anext(revoked_events)
            revoked = served.key_id
            await served.widget_key(sources=("shop",))
            async with asking(served) as other_events:
                await anext(other_events)
                await revoke(served, revoked, other_process)
                rest = [event async for event in revoked_events]
                go_on.set()
                other = [event async for event in other_events]
        reserved = await served.app.db.rows("select reserved from key_answers where key_id = ?", (revoked,))
    assert names(rest)[-2:] == ["error", "stream.done"]
    assert rest[-2].json()["code"] == "key_revoked"
    assert "error" not in names(other)
    assert {row["reserved"] for row in reserved} == {1}  # some of its text was sent


async def revoke(served: Served, key_id: str, other_process: bool) -> None:
    actor = await operator(served.app)
    if not other_process:
        await keys.revoke(served.app, actor, key_id)
        return
    async with open_context(served.app.settings) as beside:
        await keys.revoke(beside, actor, key_id)
    await served.app.revocations.follow()


async def test_a_revoked_source_ends_the_streams_that_ask_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        other = await add_source(served.app, "other", is_live=True)
        await served.widget_key()
        go_on = served.answerer.hold_back()
        question = {"query": "May I return it?", "source": "shop"}
        async with asking(served) as of_all, asking(served, question) as of_shop:
            await anext(of_all)
            await anext(of_shop)
            await served.app.db.write(lambda conn: revocations.apply(conn, "source", other.id, now()))
            await served.app.revocations.add("source", other.id)
            ended = [event async for event in of_all]
            go_on.set()
            rest = [event async for event in of_shop]
        refused = await served.ask({**question, "source": "other"})
    assert [event.json().get("code") for event in ended[-2:]] == ["source_revoked", None]
    assert "error" not in names(rest)
    assert refused.status_code == 404


async def test_a_key_revoked_while_its_question_is_looked_at_starts_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        held, go_on = asyncio.Event(), asyncio.Event()
        write = served.app.db.write

        async def slow(transaction: object) -> object:
            held.set()
            await go_on.wait()
            return await write(transaction)  # type: ignore[arg-type]

        served.app.db.write = slow  # type: ignore[method-assign,assignment]
        request = asyncio.create_task(served.ask())
        await held.wait()
        await served.app.revocations.add("key", served.key_id)
        served.app.db.write = write  # type: ignore[method-assign]
        go_on.set()
        response = await request
        reserved = await served.app.db.rows("select reserved from key_answers")
    assert (response.status_code, served.answerer.questions) == (401, [])
    assert {row["reserved"] for row in reserved} == {0}
