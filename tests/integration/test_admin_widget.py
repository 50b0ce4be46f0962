"""The widget's page in the admin."""

from pathlib import Path

import pytest
from appliance import operator
from signing_in import signed_in
from web_server import serving

from flowchat.services import keys
from flowchat.web.widget_look import CHOICES, COLOURS

XSS = "</textarea><script>alert(1)</script>"
# Contract, section 7: exactly these.
PROPERTIES = {"accent", "on-accent", "surface", "on-surface", "muted", "radius", "font", "shadow"}


async def test_the_lines_and_the_properties(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "viewer") as me:
        assert {part.name for part in (*COLOURS, *CHOICES)} == PROPERTIES
        page = (await me.get("/admin/widget")).text
        assert f"{served.url}/v1.js" in page and "data-source=&#34;shop&#34;" in page
        assert "kbk_live_YOUR_KEY" in page and served.key not in page
        assert all(f"--flowchat-{name}: <span" in page for name in PROPERTIES)
        assert "<flowchat-widget" in page and 'src="/v1.js"' in page and "<textarea" not in page
        assert f"{served.url}/widget/" in page and "integrity=&#34;sha384-" in page
        every = (await me.get(f"/admin/widget?key={served.key_id}&source=docs")).text
        assert "data-source=&#34;docs&#34;" in every


async def test_the_privacy_notice_tells_what_is_set(tmp_path: Path) -> None:
    generator = "openai:some-model@https://models.example/v1"
    async with serving(tmp_path, generator=generator) as served, signed_in(served) as me:
        await served.call("PATCH", "/v1/tenant", json={"retention_days": 17})
        page = (await me.get("/admin/widget")).text
        assert "deleted 17 days after" in page and "sent to models.example" in page


async def test_texts_are_saved(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "editor") as me:
        texts = f"greeting = Hello = you\\nthere \\\\ here\r\n\r\ntitle={XSS}"
        fields = {"starter_questions": f"Is it open?\r\n{XSS}\r\n", "contact_url": "mailto:a@b.example", "texts": texts}
        saved = await me.post(f"/admin/widget/{served.key_id}?source=shop", **fields)
        assert saved.headers["Location"] == f"/admin/widget?key={served.key_id}&source=shop"
        widget = (await keys.get(served.app, await operator(served.app), served.key_id)).widget
        assert widget.starter_questions == ("Is it open?", XSS) and widget.contact_url == "mailto:a@b.example"
        assert widget.texts == {"greeting": "Hello = you\nthere \\ here", "title": XSS}
        page = (await me.get(saved.headers["Location"])).text
        assert "greeting = Hello = you\\nthere \\\\ here\n" in page and XSS not in page
        await me.post(f"/admin/widget/{served.key_id}", starter_questions="", contact_url="", texts="")
        widget = (await keys.get(served.app, await operator(served.app), served.key_id)).widget
        assert (widget.starter_questions, widget.contact_url, widget.texts) == ((), None, {})


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"contact_url": "javascript:alert(1)"}, "contact_url"),
        ({"starter_questions": "\n".join("abcdefghi")}, "starter_questions"),
        ({"texts": "Hello"}, "texts"),
        ({"texts": "Not a name = Hello"}, "texts"),
    ],
)
async def test_what_is_wrong_keeps_what_was_entered(tmp_path: Path, fields: dict[str, str], at: str) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        entered = {"starter_questions": XSS, "contact_url": "", "texts": "", **fields}
        wrong = await me.post(f"/admin/widget/{served.key_id}", **entered)
        assert wrong.status_code == 422 and f'id="{at}-error"' in wrong.text
        assert fields[at] in wrong.text and XSS not in wrong.text


async def test_what_is_not_there(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        fields = {"starter_questions": "", "contact_url": "", "texts": ""}
        assert (await me.get("/admin/widget?key=key_no")).status_code == 404
        assert (await me.get("/admin/widget?source=none")).status_code == 404
        assert (await me.post("/admin/widget/key_no", **fields)).status_code == 404
        admin = next(key for key in await keys.list_all(served.app, await operator(served.app)) if key.type == "admin")
        assert (await me.get(f"/admin/widget?key={admin.id}")).status_code == 400
        assert (await me.post(f"/admin/keys/{served.key_id}/revoke")).status_code == 303
        assert "It needs a key first" in (await me.get("/admin/widget")).text


async def test_a_viewer_changes_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "viewer") as me:
        fields = {"starter_questions": "Mine?", "contact_url": "", "texts": ""}
        assert (await me.post(f"/admin/widget/{served.key_id}", **fields)).status_code == 403
        assert (await keys.get(served.app, await operator(served.app), served.key_id)).widget.starter_questions == ()
