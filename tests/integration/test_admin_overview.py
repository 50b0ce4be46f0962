"""The overview: first run, charts, and what needs attention."""

from pathlib import Path

from crawling import chain, site, work
from loopback import answer
from signing_in import Me, signed_in
from web_server import Served, refusal, serving

from flowchat.domain import now

OVERVIEW = "/admin"


async def overview(me: Me) -> str:
    page = await me.get(OVERVIEW)
    assert page.status_code == 200, page.text
    return page.text


async def alone(served: Served) -> None:
    """As an appliance is that was just set up: without a source and a key of its tenant's own."""
    await served.call("DELETE", "/v1/sources/shop")
    await served.call("POST", f"/v1/keys/{served.key_id}/revoke")


async def test_the_first_run_leads_from_step_to_step(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me, site(chain(5)) as server:
        await alone(served)
        page = await overview(me)
        assert 'href="/admin/sources/new"' in page and "Needs attention" not in page and "<svg viewBox" not in page
        await me.post("/admin/sources", url=server.url, slug="site", name="My site")
        page = await overview(me)
        assert "It reads your site" in page and "data-live" in page and "My site" in page
        await work(served.app)
        page = await overview(me)
        assert "Your site is read" in page and 'href="/admin/playground?source=site"' in page
        assert 'href="/admin/keys/new?source=site"' in page
        await served.widget_key(origins=("*",), sources=("site",))
        page = await overview(me)
        assert "Your site is read" not in page and "Nothing needs your attention." in page


async def test_a_first_crawl_that_fails_is_no_dead_end(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me, site({}) as server:
        await alone(served)
        await me.post("/admin/sources", url=server.url, slug="site")
        await work(served.app)
        page = await overview(me)
        assert "could not be read yet" in page and 'href="/admin/sources/site/settings"' in page
        assert "Check the address." in page


async def test_a_viewer_is_told_who_begins(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "viewer") as me:
        await alone(served)
        page = await overview(me)
        assert "/admin/sources/new" not in page and "an owner or an editor" in page


async def test_charts_are_tables_too(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        for _ in range(3):
            await served.ask()
        served.answerer.script = refusal
        await served.ask()
        page = await overview(me)
        assert "<b>4</b> <small>3 answered, 1 refused</small>" in page and "<b>25 %</b>" in page
        assert f"<title>{now()[:10]}: Answered 3, Refused 1</title>" in page
        assert f'<td data-label="Day">{now()[:10]}</td><td data-label="Answered" class="number">3</td>' in page
        assert page.count('role="img"') == page.count("<desc") >= 2


async def test_what_needs_attention(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, operator=True) as me, site(chain(3)) as server:
        await me.post("/admin/sources", url=server.url, slug="site", name="Site <i>")
        await work(served.app)
        server.answers["/robots.txt"] = answer(status="503 Busy", retry_after="0")
        server.answers["/"] = answer(status="404 Not Found")
        server.answers["/robots.txt"] = answer(b"User-agent: *\nDisallow: /", content_type="text/plain")
        await me.post("/admin/sources/site/recrawl")
        await work(served.app)
        hook = await served.call("POST", "/v1/webhooks", json={"url": "http://127.0.0.1:9/", "events": ["*"]})
        capped = await served.call("POST", "/v1/keys", json={"type": "widget", "name": "Tight", "caps": {"daily": 2}})
        served.key = capped.json()["key"]
        await served.ask()
        await served.ask()
        disabled = ("update webhooks set disabled_at = ?, disabled_reason = 'It was gone.'", (now(),))
        await served.app.db.write(lambda conn: conn.execute(*disabled))
        page = await overview(me)
        assert "Site &lt;i&gt;: the last crawl failed" in page
        assert f'href="/admin/webhooks/{hook.json()["id"]}"' in page and "It was gone." in page
        assert "2 of 2 answers today" in page and f'href="/admin/keys/{capped.json()["id"]}"' in page
        assert "A model is missing" in page
        async with signed_in(served, "viewer") as viewer:
            page = await overview(viewer)
            assert "the last crawl failed" in page and "A model is missing" not in page
