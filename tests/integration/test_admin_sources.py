"""Sources in the admin."""

import re
from pathlib import Path

import pytest
from crawling import chain, html, site, work
from loopback import answer
from signing_in import browsing, signed_in
from web_server import Served, add_source, serving

from flowchat.services.context import MAX_PREVIEWS
from flowchat.store import tenants

SOURCES = "/admin/sources"


async def source(served: Served, slug: str) -> dict[str, object]:
    found = await served.call("GET", f"/v1/sources/{slug}")
    assert found.status_code == 200, found.text
    return dict(found.json())


async def test_add_crawl_and_change_a_site(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "editor") as me, site(chain()) as server:
        fields = {"kind": "site", "url": server.url, "slug": "site", "include": "/\r\n/p*", "max_pages": "4"}
        made = await me.post(SOURCES, **fields, **{"auth.type": "", "auth.username": "", "schedule": "daily"})
        assert (made.status_code, made.headers["Location"]) == (303, f"{SOURCES}/site")
        page = (await me.get(f"{SOURCES}/site")).text
        assert "is being crawled." in page and "data-live" in page and "Crawl it again" not in page
        await work(served.app)
        page = (await me.get(f"{SOURCES}/site")).text
        assert "data-live" not in page and "Ask it something" in page and "beyond the limit of pages" in page
        assert "127.0.0.1" in (await me.get(SOURCES)).text
        settings = (await me.get(f"{SOURCES}/site/settings")).text
        assert "/\n/p*</textarea>" in settings and 'value="4"' in settings and 'value="daily" selected' in settings
        changed = await me.post(
            f"{SOURCES}/site", url=server.url, name="Shop", slug="shop-2", include="", max_pages="", schedule=""
        )
        assert changed.headers["Location"] == f"{SOURCES}/shop-2/settings"
        now = await source(served, "shop-2")
        assert (now["name"], now["include"], now["max_pages"], now["schedule"]) == ("Shop", [], None, None)
        assert (await me.post(f"{SOURCES}/shop-2/recrawl")).status_code == 303
        again = await me.post(f"{SOURCES}/shop-2/recrawl")
        assert again.status_code == 303 and "is at work" in (await me.get(f"{SOURCES}/shop-2")).text


async def test_a_sign_in_is_kept_changed_and_dropped(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me, site(chain()) as server:
        basic = {"auth.type": "basic", "auth.username": "ann", "auth.password": "secret", "auth.name": ""}
        await me.post(SOURCES, url=server.url, slug="site", **basic)
        assert (await source(served, "site"))["auth"] == {"type": "basic"}
        page = (await me.get(f"{SOURCES}/site/settings")).text
        assert "secret" not in page and 'value="keep" checked' in page
        fields = {"url": server.url, "name": "S", "slug": "site", "locale": "en"}
        await me.post(f"{SOURCES}/site", **fields, **{**basic, "auth.type": "keep"})
        assert (await source(served, "site"))["auth"] == {"type": "basic"}
        header = {"auth.type": "header", "auth.name": "X-Token", "auth.value": "abc", "auth.username": "ann"}
        await me.post(f"{SOURCES}/site", **fields, **header)
        assert (await source(served, "site"))["auth"] == {"type": "header"}
        await me.post(f"{SOURCES}/site", **fields, **{"auth.type": "none"})
        assert (await source(served, "site"))["auth"] is None


async def test_a_look_at_a_site_stores_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me, site(chain()) as server:
        seen = await me.post(f"{SOURCES}/preview", url=server.url, slug="site", max_pages="77")
        assert seen.status_code == 200 and "can be crawled" in seen.text and "Page 0" in seen.text
        assert f'value="{server.url}"' in seen.text and 'value="77"' in seen.text
        server.answers["/robots.txt"] = answer(b"User-agent: *\nDisallow: /", content_type="text/plain")
        seen = await me.post(f"{SOURCES}/preview", url=server.url)
        assert "forbids it" in seen.text and "Nothing could be used." in seen.text
        assert (await served.call("GET", "/v1/sources/site")).status_code == 404
        wrong = await me.post(f"{SOURCES}/preview", url="ftp://nowhere")
        assert wrong.status_code == 422 and 'id="url-error"' in wrong.text and 'value="ftp://nowhere"' in wrong.text


async def test_the_scheme_of_an_address_may_be_left_out(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "editor") as me:
        await me.post(SOURCES, kind="site", url="www.kestrel.example", slug="kestrel")
        assert (await served.call("GET", "/v1/sources/kestrel")).json()["url"] == "https://www.kestrel.example/"


async def test_few_sites_are_looked_at_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for _ in range(MAX_PREVIEWS):
            await served.app.previews.acquire()
        busy = await served.call("POST", "/v1/sources/preview", json={"url": "https://shop.example"})
    assert busy.status_code == 503 and int(busy.headers["Retry-After"]) > 0


async def test_what_is_wrong_stands_at_its_field(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        for fields, at in (
            ({"url": "<i>"}, "url"),
            ({"url": "https://a.example/", "slug": "Big"}, "slug"),
            ({"url": "https://a.example/", "slug": "shop"}, "slug"),
            ({"url": "https://a.example/", "max_pages": "many"}, "max_pages"),
            ({"url": "https://a.example/", "include": "help"}, "include"),
            ({"url": "https://a.example/", "locale": "?"}, "locale"),
        ):
            wrong = await me.post(SOURCES, **fields)
            assert wrong.status_code == 422 and f'id="{at}-error"' in wrong.text, wrong.text
            entered = fields[at].replace("<", "&lt;").replace(">", "&gt;")
            assert f'value="{entered}"' in wrong.text or f"{entered}</textarea>" in wrong.text
        wrong = await me.post(f"{SOURCES}/shop", name="X", slug="No")
        assert wrong.status_code == 422 and 'value="No"' in wrong.text


async def test_revoke_and_delete(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        page = (await me.get(f"{SOURCES}/shop/settings")).text
        assert 'data-typed="shop"' in page and "answering within a second" in page
        await me.post(f"{SOURCES}/shop/revoke", confirm="shop")
        page = (await me.get(f"{SOURCES}/shop")).text
        assert "was revoked" in page and "Ask it" not in page
        assert (await me.post(f"{SOURCES}/shop/delete", confirm="shop")).headers["Location"] == SOURCES
        assert (await me.get(f"{SOURCES}/shop")).status_code == 404


@pytest.mark.parametrize("path", ["", "/preview", "/shop", "/shop/recrawl", "/shop/revoke", "/shop/delete"])
async def test_a_viewer_changes_nothing(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as served, signed_in(served, "viewer") as me:
        before = [tuple(row) for row in await served.app.db.rows("select * from sources")]
        fields = {"url": "https://a.example/", "slug": "new"} if path in ("", "/preview", "/shop") else {}
        answered = await me.post(SOURCES + path, **fields)
        assert answered.status_code == 403
        assert [tuple(row) for row in await served.app.db.rows("select * from sources")] == before
        for page in ("", "/shop", "/shop/settings", "/shop/versions"):
            shown = await me.get(SOURCES + page)
            assert shown.status_code == 200
            assert "Add a site" not in shown.text and "/revoke" not in shown.text and "/recrawl" not in shown.text
        assert (await me.get(f"{SOURCES}/new")).status_code == 403


@pytest.mark.parametrize("path", ["", "/settings", "/pages", "/versions", "/versions/ver_x", "/documents"])
async def test_what_is_not_there(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        assert (await me.get(f"{SOURCES}/nothing{path}")).status_code == 404


async def test_a_failed_crawl_says_why(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me, site({"/": html("x")}) as server:
        server.answers["/"] = answer(status="404 Not Found")
        await me.post(SOURCES, url=server.url, slug="site")
        await work(served.app)
        page = (await me.get(f"{SOURCES}/site")).text
        assert "crawl failed" in page and "Nothing answers yet" in page and "answered 404" in page
        listed = (await me.get(f"{SOURCES}/site/pages?status=failed")).text
        reasons = re.findall(r'<option value="(\w+)"', listed.partition('id="reason"')[2].partition("</select>")[0])
        found = (await served.call("GET", "/v1/sources/site/pages?limit=100")).json()["data"]
        assert set(reasons) == {page["reason"] for page in found if page["reason"]}, "only those that occur"
        assert server.url in listed and "answered 404" in listed


async def test_pages_versions_and_rolling_back(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "editor") as me, site(chain(4)) as server:
        await me.post(SOURCES, url=server.url, slug="site")
        await work(served.app)
        server.answers["/p1"] = html("Now it says something else about words.", "/p2", title="New title")
        server.answers["/p9"] = html("A page that is new and nobody knew.", title="Nine")
        server.answers["/p3"] = html("This page is about word3 and what it is good for.", "/p9", title="Page 3")
        await me.post(f"{SOURCES}/site/recrawl")
        await work(served.app)
        pages = (await me.get(f"{SOURCES}/site/pages?q=p9")).text
        assert "Nine" in pages and "New title" not in pages
        first = (await me.get(f"{SOURCES}/site/pages?limit=2")).text
        assert "starting_after=pag_" in first
        listed = (await me.get(f"{SOURCES}/site/versions")).text
        assert "Version 2" in listed and "Roll back" in listed
        old, new = [
            row["id"]
            for row in await served.app.db.rows(
                "select v.id from versions v join sources s on s.id = v.source_id where s.slug = 'site' order by number"
            )
        ]
        changes = (await me.get(f"{SOURCES}/site/versions/{new}")).text
        assert "New title" in changes and "Nine" in changes
        added = (await me.get(f"{SOURCES}/site/versions/{new}?change=added")).text
        assert "Nine" in added and "New title" not in added
        page = re.search(r'hx-get="([^"]+/changes/pag_[0-9]+)"', changes)
        assert page is not None
        told = (await me.get(page[1])).text
        assert "<ins>Now it says something else about words.</ins>" in told and "<del>This page is about word1" in told
        assert "Its title was “Page 1”." in told
        moved = await me.post(f"{SOURCES}/site/versions/{old}/activate")
        assert moved.headers["Location"] == f"{SOURCES}/site/versions"
        assert (await source(served, "site"))["live_version"] == old
        assert "Let it answer" in (await me.get(f"{SOURCES}/site/versions")).text
        assert (await me.post(f"{SOURCES}/site/versions/ver_none/activate")).status_code == 404
        async with signed_in(served, "viewer") as viewer:
            assert (await viewer.post(f"{SOURCES}/site/versions/{new}/activate")).status_code == 403
            assert (await source(served, "site"))["live_version"] == old


async def test_documents_come_and_go(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "editor") as me:
        made = await me.post(SOURCES, kind="files", name="Manuals", slug="manuals", locale="en")
        assert made.headers["Location"] == f"{SOURCES}/manuals/documents"
        path = f"{SOURCES}/manuals/documents"
        big = b"# Guide\n\n" + b"Press the red button to stop the machine. " * 4000  # beyond what other forms may have
        form = {"csrf_token": me.csrf, "url": ""}
        sent = await me.client.post(path, data=form, files={"file": ("guide.md", big, "text/markdown")})
        assert (sent.status_code, sent.headers["Location"]) == (303, path)
        page = (await me.get(path)).text
        assert "guide.md" in page and "not indexed yet" in page
        await work(served.app)
        assert "answers</span>" in (await me.get(path)).text
        bad = await me.client.post(path, data=form, files={"file": ("a.exe", b"MZ", "application/x-dosexec")})
        assert bad.status_code == 422 and "be read: upload Markdown" in bad.text
        none = await me.client.post(path, data=form, files={"other": ("a.md", b"x", "text/markdown")})
        assert none.status_code == 422 and "There is no file." in none.text
        async with signed_in(served, "viewer") as viewer:
            refused = await viewer.client.post(
                path, data={"csrf_token": viewer.csrf}, files={"file": ("b.md", b"# B", "text/markdown")}
            )
            assert refused.status_code == 403
        async with browsing(served) as nobody:
            late = await nobody.post(path, data=form, files={"file": ("guide.md", big, "text/markdown")})
            assert (late.status_code, late.headers["Location"]) == (303, "/admin/sign-in"), "the session has ended"
        row = await served.app.db.row("select id from documents")
        assert row
        assert (await me.post(f"{path}/{row['id']}/delete")).headers["Location"] == path
        assert "guide.md is deleted." in (await me.get(path)).text
        assert (await me.post(f"{path}/{row['id']}/delete")).status_code == 404


async def test_tenants_are_apart(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        other = await served.app.db.write(lambda conn: tenants.insert(conn, "other", "Other"))
        theirs = await add_source(served.app, "theirs", is_live=True, tenant_id=other.id)
        assert "theirs" not in (await me.get(SOURCES)).text
        for name in (theirs.id, "theirs"):
            assert (await me.get(f"{SOURCES}/{name}")).status_code == 404
            for verb in ("", "/recrawl", "/revoke", "/delete"):
                assert (await me.post(f"{SOURCES}/{name}{verb}")).status_code == 404
