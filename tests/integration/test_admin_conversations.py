"""Conversations and feedback in the admin."""

from pathlib import Path

import pytest
from conversing import answered, going_on, with_pipeline
from signing_in import signed_in
from web_server import Served, serving

from flowchat.services import conversations
from flowchat.store.database import Connection

ASKED = "May I return it within thirty days?"
UNKNOWN = "Which volcano erupted yesterday?"
XSS = "<script>alert(1)</script>"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"


async def rate(served: Served, answer: dict[str, str], rating: str, reason: str = "") -> None:
    given = {name: answer[name] for name in ("message_id", "conversation_token")}
    body = {**given, "rating": rating, "reason": reason}
    assert (await served.client.post("/v1/feedback", json=body, headers=served.headers())).status_code == 200


async def test_found_and_opened(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "viewer") as me:
        empty = (await me.get("/admin/conversations")).text
        assert "No conversations yet" in empty
        await with_pipeline(served)
        first = await answered(served, ASKED, visitor_id="visitor-1")
        await going_on(served, UNKNOWN, first)
        await answered(served, "Is sending it back free?")
        await rate(served, first, "down", "Too short")

        page = (await me.get("/admin/conversations")).text
        assert ASKED in page and "Is sending it back free?" in page and "1 refused" in page
        for filters, is_found in (
            ("q=volcano", True),
            ("q=zebra", False),
            ("refusal=true", True),
            ("refusal=false", False),
            ("rating=down&source=&key=", True),
            ("rating=up", False),
            ("visitor_id=visitor-1", True),
            ("source=shop", True),
            ("source=docs", False),
            (f"key={served.key_id}", True),
            ("from=2020-01-01&to=2999-01-01", True),
            ("to=2020-01-01", False),
        ):
            found = (await me.get(f"/admin/conversations?{filters}")).text
            assert (ASKED in found) is is_found, filters
            assert is_found or "Nothing found" in found or "Is sending it back free?" in found

        opened = (await me.get(f"/admin/conversations/{first['conversation_id']}")).text
        for told in (ASKED, UNKNOWN, "refused", "Too short", "not helpful", "visitor-1", "supported", "ver_"):
            assert told in opened, told
        assert 'href="https://shop.example/returns#time"' in opened and "Sending it back is free." in opened
        feedback = (await me.get("/admin/conversations/feedback?rating=down")).text
        assert ASKED in feedback and f"{first['conversation_id']}#{first['message_id']}" in feedback
        assert ASKED not in (await me.get("/admin/conversations/feedback?rating=up")).text


async def test_long_conversations_have_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "SHOWN_MESSAGES", 1)
    async with serving(tmp_path) as served, signed_in(served) as me:
        first = await answered(served, "One?")
        await going_on(served, "Two?", first)
        path = f"/admin/conversations/{first['conversation_id']}"
        opened = (await me.get(path)).text
        assert f'href="{path}/messages">All 2 questions' in opened
        newest = (await me.get(f"{path}/messages?limit=1")).text
        assert "Two?</h2>" in newest and "One?</h2>" not in newest and "starting_after=" in newest


async def test_erased(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "editor") as me:
        one = await answered(served, ASKED, visitor_id="v1")
        await answered(served, "Two?", visitor_id="v2")
        await answered(served, "Three?", visitor_id="v2")
        opened = (await me.get(f"/admin/conversations/{one['conversation_id']}")).text
        assert "1 question is lost for good" in opened and 'data-typed="v1"' in opened
        gone = await me.post(f"/admin/conversations/{one['conversation_id']}/delete", confirm="erase")
        assert (gone.status_code, gone.headers["Location"]) == (303, "/admin/conversations")
        assert ASKED not in (await me.get("/admin/conversations")).text
        assert 'data-typed="v2"' in (await me.get("/admin/conversations?visitor_id=v2")).text
        await me.post("/admin/conversations/erase", visitor_id="v2", confirm="v2")
        page = (await me.get("/admin/conversations")).text
        assert "2 conversations with 2 questions are erased." in page and "Two?" not in page
        assert await served.stored_answers() == 0
        await me.post("/admin/conversations/erase", visitor_id="")
        assert "visitor_id must have at least 1 character" in (await me.get("/admin/conversations")).text.lower()


async def test_a_viewer_erases_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "viewer") as me:
        one = await answered(served, ASKED, visitor_id="v1")
        path = f"/admin/conversations/{one['conversation_id']}"
        assert "Erase" not in (await me.get(path)).text
        assert (await me.post(f"{path}/delete")).status_code == 403
        assert (await me.post("/admin/conversations/erase", visitor_id="v1")).status_code == 403
        assert await served.stored_answers() == 1


async def test_missing_and_invalid(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        assert (await me.get("/admin/conversations/cnv_none")).status_code == 404
        assert (await me.get("/admin/conversations/cnv_none/messages")).status_code == 404
        assert (await me.post("/admin/conversations/cnv_none/delete")).status_code == 404
        assert (await me.get("/admin/conversations?source=nowhere")).status_code == 404
        for query in ("limit=x", "rating=five", "from=yesterday", "visitor=v1"):
            assert (await me.get(f"/admin/conversations?{query}")).status_code == 400, query


async def test_markup_is_shown_as_text(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        await with_pipeline(served)
        title, url = f"{XSS} Returns", "javascript:alert(1)//"

        def poison(conn: Connection) -> None:
            conn.execute("update pages set title = ?, url = ?", (title, url))
            conn.execute("update chunks set text = ?", (f"You may return {XSS} it within thirty days.",))

        await served.app.db.write(poison)
        answer = await answered(served, f"{ASKED} {XSS}", visitor_id=XSS)
        await rate(served, answer, "up", XSS)
        for path in (
            "/admin/conversations",
            f"/admin/conversations?visitor_id={XSS}",
            f"/admin/conversations/{answer['conversation_id']}",
            "/admin/conversations/feedback",
        ):
            page = (await me.get(path)).text
            assert ESCAPED in page and XSS not in page, path
            assert 'href="javascript:' not in page, path
