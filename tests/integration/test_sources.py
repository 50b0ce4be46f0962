"""Sources over HTTP: created, changed, recrawled, revoked and deleted, and what is refused."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from appliance import operator, running
from crawling import chain, crawled_over_http, events_of_type, found, html, refused_to_others, requested, site, work
from fakes import FakeEmbedder
from loopback import answer, redirect
from loopback import serving as site_serving
from web_server import Served, serving

from flowchat.errors import FlowChatError
from flowchat.services import sources, worker
from flowchat.services.check import check
from flowchat.services.source_requests import NewSource
from flowchat.store import jobs as job_store

SITE = {"url": "https://shop.example/help/", "slug": "help", "max_pages": 50}
BASIC = {"type": "basic", "username": "anna", "password": "s3cret:ü"}
HEADER = {"type": "header", "name": "X-Token", "value": "t0p secret"}


async def test_create_queues_the_first_crawl(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        woken: list[str] = []
        served.app.wake = woken.append
        wanted = {
            **SITE,
            "name": "Help",
            "include": ["/help/*"],
            "exclude": ["/help/old/*"],
            "max_depth": 3,
            "locale": "de-CH",
            "schedule": "weekly",
            "sitemap": "https://shop.example/map.xml",
        }
        created = await served.call("POST", "/v1/sources", json=wanted)
        source = created.json()
        job = await served.call("GET", f"/v1/jobs/{source['job']['id']}")
        by_slug = await served.call("GET", "/v1/sources/help")
        read = await served.call("GET", created.headers["Location"])
    assert (created.status_code, created.headers["Location"]) == (201, f"/v1/sources/{source['id']}")
    assert {name: source[name] for name in wanted} == wanted
    assert (source["status"], source["auth"]) == ("pending", None)
    assert (source["live_version"], source["revoked_at"]) == (None, None)
    assert source["next_crawl"] > source["created_at"]
    assert read.json() == by_slug.json() == {name: value for name, value in source.items() if name != "job"}
    assert (job.json()["type"], job.json()["status"], job.json()["source"]) == ("crawl", "queued", source["id"])
    assert woken == [job.json()["id"]]


async def test_slugs(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        made = [await served.call("POST", "/v1/sources", json={"url": "https://www.shop.example/#top"}) for _ in "ab"]
        named = await served.call("POST", "/v1/sources", json={"name": "Our Manuals!"})
        nothing = await served.call("POST", "/v1/sources")
        taken = await served.call("POST", "/v1/sources", json={"url": "https://shop.example/", "slug": "docs"})
    assert [(source.json()["slug"], source.json()["url"]) for source in made] == [
        ("shop-example", "https://www.shop.example/"),
        ("shop-example-2", "https://www.shop.example/"),
    ]
    assert (named.json()["slug"], named.json()["url"], named.json()["job"]) == ("our-manuals", None, None)
    assert (nothing.status_code, nothing.json()["slug"], nothing.json()["status"]) == (201, "documents", "pending")
    assert (taken.status_code, taken.json()["code"], taken.json()["param"]) == (409, "slug_taken", "slug")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"url": "example"}, "url"),
        ({"url": "ftp://example.com/"}, "url"),
        ({"url": "https://anna:pw@example.com/"}, "url"),
        ({"url": 1}, "url"),
        ({"sitemap": "sitemap.xml"}, "sitemap"),
        ({"slug": "No Slug"}, "slug"),
        ({"slug": "a\n"}, "slug"),
        ({"slug": ""}, "slug"),
        ({"max_pages": 0}, "max_pages"),
        ({"max_pages": 10**30}, "max_pages"),
        ({"max_depth": -1}, "max_depth"),
        ({"locale": "English, please"}, "locale"),
        ({"name": "x" * 300}, "name"),
        ({"include": ["*"] * 101}, "include"),
        ({"include": "/help/*"}, "include"),
        ({"schedule": "yearly"}, "schedule"),
        ({"auth": {"type": "magic"}}, "auth"),
        ({"auth": {"type": "basic", "username": "a:b", "password": ""}}, "auth"),
        ({"auth": {"type": "header", "name": "Host", "value": "x"}}, "auth"),
        ({"auth": {"type": "header", "name": "X-Token", "value": "x\r\nY: 1"}}, "auth"),
        ({"max_page": 5}, "max_page"),
    ],
)
async def test_what_is_refused_names_its_field(tmp_path: Path, change: dict[str, Any], param: str) -> None:
    async with serving(tmp_path) as served:
        created = await served.call("POST", "/v1/sources", json={**SITE, **change})
        before = await served.call("POST", "/v1/sources", json={**SITE, "slug": "before"})
        changed = await served.call("PATCH", "/v1/sources/before", json=change)
        assert (created.status_code, created.json()["param"]) == (400, param), created.text
        assert (changed.status_code, changed.json()["param"]) == (400, param), changed.text
        assert await job_store.waiting(served.app.db) == [before.json()["job"]["id"]]


async def test_update(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        made = (await served.call("POST", "/v1/sources", json={**SITE, "schedule": "daily"})).json()
        del made["job"]
        change = {"slug": "faq", "name": "FAQ", "include": ["/faq/*"], "max_pages": None, "schedule": None}
        changed = await served.call("PATCH", "/v1/sources/help", json=change)
        assert changed.json() == {**made, **change, "next_crawl": None}
        nothing = await served.call("PATCH", "/v1/sources/faq", json={})
        assert nothing.json() == changed.json()
        gone = await served.call("GET", "/v1/sources/help")
        again = await served.call("PATCH", "/v1/sources/faq", json={"schedule": "hourly"})
        same = await served.call("PATCH", "/v1/sources/faq", json={"schedule": "hourly", "slug": "faq"})
        taken = await served.call("PATCH", "/v1/sources/faq", json={"slug": "docs"})
        builtin = await served.call("PATCH", "/v1/sources/docs", json={"slug": "manual"})
        await served.call("POST", "/v1/sources", json={"slug": "files"})
        no_url = [await served.call("PATCH", "/v1/sources/files", json=body) for body in _ONLY_OF_SITES]
        log = await served.call("GET", "/v1/audit-log")
    assert (gone.status_code, taken.status_code, builtin.json()["code"]) == (404, 409, "builtin_source")
    assert again.json()["next_crawl"] == same.json()["next_crawl"] is not None
    assert {(response.status_code, response.json()["code"]) for response in no_url} == {(409, "no_url")}
    assert "sources.update" in {entry["operation"] for entry in log.json()["data"]}


_ONLY_OF_SITES: tuple[dict[str, Any], ...] = (
    {"url": "https://shop.example/"},
    {"sitemap": "https://shop.example/map.xml"},
    {"schedule": "daily"},
    {"auth": BASIC},
)


async def test_the_sign_in_is_never_shown_and_stays_with_its_origin(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        made = await served.call("POST", "/v1/sources", json={**SITE, "auth": BASIC})
        assert made.json()["auth"] == {"type": "basic"}
        kept = await served.call("PATCH", "/v1/sources/help", json={"url": "https://shop.example/other/"})
        assert kept.json()["auth"] == {"type": "basic"}
        moved = await served.call("PATCH", "/v1/sources/help", json={"url": "https://evil.example/"})
        assert (moved.json()["auth"], moved.json()["url"]) == (None, "https://evil.example/")
        new = {"url": "https://shop.example/", "auth": HEADER}
        assert (await served.call("PATCH", "/v1/sources/help", json=new)).json()["auth"] == {"type": "header"}
        log = (await served.call("GET", "/v1/audit-log")).text
        assert (await served.call("PATCH", "/v1/sources/help", json={"auth": None})).json()["auth"] is None
        stored = b"".join(path.read_bytes() for path in tmp_path.glob("flowchat.db*"))
        for secret in (BASIC["password"], HEADER["value"]):
            assert secret not in log
            assert secret.encode() not in stored and json.dumps(secret)[1:-1].encode() not in stored


@pytest.mark.parametrize(
    ("auth", "sent"),
    [(BASIC, "authorization: basic yw5uytpzm2nyzxq6w7w="), (HEADER, "x-token: t0p secret")],
)
async def test_a_crawl_signs_in_to_its_own_origin_alone(tmp_path: Path, auth: dict[str, str], sent: str) -> None:
    async with site_serving() as elsewhere, site({}) as server, serving(tmp_path) as served:
        elsewhere.answers = {"/": html("Another host."), "/map.xml": html("")}
        server.answers = {
            "/": html("Home.", "/moved", "/away"),
            "/moved": redirect("/target"),
            "/target": html("The target says cherry."),
            "/away": redirect(elsewhere.url + "/"),
        }
        _, job = await crawled_over_http(served, server, auth=auth)
        assert (job["status"], job["progress"]["indexed"]) == ("succeeded", 2)
        assert len(server.requests) >= 5 and all(sent in head.lower() for head in server.requests)
        assert elsewhere.requests and not any(sent in head.lower() for head in elsewhere.requests)


async def test_a_crawl_from_a_sitemap(tmp_path: Path) -> None:
    async with site({}) as server, serving(tmp_path) as served:
        named = "".join(f"<url><loc>{server.url}{path}</loc></url>" for path in ("/a", "/b/c"))
        listing = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{named}</urlset>'
        server.answers = {
            "/map.xml": answer(listing.encode(), content_type="application/xml"),
            "/a": html("This is about apple."),
            "/b/c": html("This is about banana.", "/d"),
            "/d": html("This is about date."),
            "/": html("The home page is about quince."),
        }
        made = await served.call("POST", "/v1/sources", json={"sitemap": f"{server.url}/map.xml", "slug": "site"})
        assert (made.json()["url"], made.json()["sitemap"]) == (f"{server.url}/", f"{server.url}/map.xml")
        await work(served.app)
        listed = await served.call("GET", "/v1/sources/site/pages")
        assert [page["url"].removeprefix(server.url) for page in listed.json()["data"]] == ["/a", "/b/c", "/d"]
        assert "/" not in requested(server) and "/sitemap.xml" not in requested(server)
        del server.answers["/map.xml"]
        again = await served.call("POST", "/v1/sources/site/recrawl")
        await work(served.app)
        failed = (await served.call("GET", again.headers["Location"])).json()
        assert failed["status"] == "failed" and "map.xml" in failed["error"]
        assert (await events_of_type(served.app, "source.crawl.failed"))[-1]["job"] == failed["id"]


async def test_the_start_is_indexed_only_if_it_is_included(tmp_path: Path) -> None:
    home = html("Home is about fig.", "/docs/a", "/b")
    answers = {"/": redirect("/en"), "/en": home, "/docs/a": html("About apple.")}
    async with site(answers) as server, serving(tmp_path) as served:
        source, job = await crawled_over_http(served, server, include=["/docs/*"])
        assert job["progress"]["reasons"] == {"skipped": {"not_included": 1, "redirected": 1}}
        assert (source["pages"], requested(server).count("/b")) == (1, 0)
        skipped = await served.call("GET", "/v1/sources/site/pages", params={"reason": "not_included"})
        assert [page["url"] for page in skipped.json()["data"]] == [f"{server.url}/en"]


async def test_recrawl(tmp_path: Path) -> None:
    async with site(chain(4)) as server, serving(tmp_path) as served:
        source, first = await crawled_over_http(served, server)
        queued = await served.call("POST", "/v1/sources/site/recrawl", json={"max_pages": 2})
        busy = await served.call("POST", "/v1/sources/site/recrawl")
        await work(served.app)
        job = (await served.call("GET", queued.headers["Location"])).json()
        after = (await served.call("GET", "/v1/sources/site")).json()
        assert (queued.status_code, busy.status_code, busy.json()["code"]) == (202, 409, "job_active")
        assert (first["progress"]["indexed"], job["progress"]["indexed"], job["max_pages"]) == (4, 2, 2)
        assert (after["max_pages"], after["pages"]) == (source["max_pages"], 2) == (None, 2)
        await served.call("POST", "/v1/sources/site/recrawl")
        await work(served.app)
        assert (await served.call("GET", "/v1/sources/site")).json()["pages"] == 4


async def test_what_a_job_shows(tmp_path: Path) -> None:
    async with site(chain(3)) as server, serving(tmp_path) as served:
        _, first = await crawled_over_http(served, server)
        again = await served.call("POST", "/v1/sources/site/recrawl", json={"accept_removals": True})
        wrong = await served.call("POST", "/v1/sources/site/recrawl", json={"accept_removals": "maybe"})
        await served.call("POST", "/v1/sources", json={"slug": "files"})
        files = await served.call("POST", "/v1/sources/files/recrawl", json={"accept_removals": True})
    assert (first["accept_removals"], again.json()["accept_removals"]) == (False, True)
    assert (wrong.status_code, wrong.json()["param"]) == (400, "accept_removals")
    assert files.json()["accept_removals"] is False  # it is no crawl
    assert (again.json()["paused_at"], again.json()["max_pages"]) == (None, None)
    counts = ("fetched", "unchanged", "embedded", "pages_per_s", "remaining_s")
    assert set(counts) < set(first["progress"])
    assert [again.json()["progress"][name] for name in counts] == [0, 0, 0, None, None]


@pytest.mark.parametrize(
    ("languages", "told"),
    [
        (["de", "de-at", "fr", "en"], "de"),
        (["", "", "", "nl"], "nl"),
        (["fr", "de", "en", "en-gb"], None),
        (["de", "de", "de", "en"], "de"),
        (["", "", "", ""], None),
    ],
)
async def test_a_warning_where_the_models_are_made_for_another_language(
    tmp_path: Path, languages: list[str], told: str | None
) -> None:
    fruits = ["apple banana cherry", "date elderberry fig", "grape honeydew kiwi", "lemon mango nectarine"]
    links = "".join(f'<a href="/p{number}">{number}</a>' for number in range(4))
    answers = {
        f"/p{number}": answer(
            f"<html{f' lang={language}' if language else ''}><main><p>All about {fruit}.</p>{links}</main>".encode(),
            content_type="text/html",
        )
        for number, (language, fruit) in enumerate(zip(languages, fruits, strict=True))
    }
    async with site(answers | {"/": answers["/p0"]}) as server, serving(tmp_path) as served:
        source, job = await crawled_over_http(served, server)
        listed = (await served.call("GET", "/v1/sources")).json()["data"][0]
        assert job["progress"]["indexed"] == 4 and source["warnings"] == listed["warnings"]
        assert [warning["code"] for warning in source["warnings"]] == (["language"] if told else [])
        if told:
            message = source["warnings"][0]["message"]
            assert f"'{told}'" in message and "flowchat-verifier-2" in message
        served.app.settings = replace(served.app.settings, verifier="polyglot", reranker="polyglot")
        assert (await served.call("GET", "/v1/sources/site")).json()["warnings"] == []


async def test_an_unchanged_page_is_not_embedded_again(tmp_path: Path) -> None:
    async with site(chain(4)) as server, serving(tmp_path) as served:
        await crawled_over_http(served, server)
        embedder = served.app.engines.embedder
        assert isinstance(embedder, FakeEmbedder) and len(embedder.embedded) == 4
        server.answers["/p2"] = html("This page says mango now.", "/p3", title="Page 2")
        await served.call("POST", "/v1/sources/site/recrawl")
        await work(served.app)
        source = await sources.get(served.app, await operator(served.app), "site")
        assert len(embedder.embedded) == 5 and "mango" in embedder.embedded[-1]
        assert await found(served.app, source, "word3") == [f"{server.url}/p3"]
        assert await check(served.app.db) == []


async def test_revoke_and_delete(tmp_path: Path) -> None:
    async with site(chain(3)) as server, serving(tmp_path) as served:
        source, _ = await crawled_over_http(served, server, schedule="hourly", auth=BASIC)
        queued = (await served.call("POST", "/v1/sources/site/recrawl")).json()
        revoked = await served.call("POST", "/v1/sources/site/revoke")
        again = await served.call("POST", "/v1/sources/site/revoke")
        job = await served.call("GET", f"/v1/jobs/{queued['id']}")
        body = revoked.json()
        assert (body["status"], body["live_version"], body["next_crawl"]) == ("revoked", None, None)
        row = await served.app.db.row("select auth from sources where id = ?", (source["id"],))
        assert source["auth"] == {"type": "basic"} and body["auth"] is None
        assert row is not None and row["auth"] is None
        assert revoked.json() == again.json() and job.json()["status"] == "canceled"
        assert source["id"] in served.app.revocations
        assert [event["source"] for event in await events_of_type(served.app, "source.revoked")] == [source["id"]]
        refused = [
            await served.call("POST", "/v1/sources/site/recrawl"),
            await served.call("PATCH", "/v1/sources/site", json={"name": "x"}),
            await served.call("POST", f"/v1/sources/site/versions/{source['live_version']}/activate"),
        ]
        assert {(response.status_code, response.json()["code"]) for response in refused} == {(409, "source_revoked")}
        await worker.dispose(served.app)
        assert (await served.call("GET", "/v1/sources/site/versions")).json()["data"] == []
        assert await _count(served, "chunks") == await _count(served, "pages") == 0
        deleted = await served.call("DELETE", "/v1/sources/site")
        reused = await served.call("POST", "/v1/sources", json={"slug": "site"})
        await worker.dispose(served.app)
        assert (deleted.status_code, deleted.content, reused.status_code) == (204, b"", 201)
        assert (await served.call("GET", f"/v1/sources/{source['id']}")).status_code == 404
        assert (await served.call("GET", f"/v1/jobs/{queued['id']}")).json()["source"] is None
        row = await served.app.db.row("select count(*) from sources where id = ?", (source["id"],))
        assert row is not None and row[0] == 0 and await check(served.app.db) == []


async def _count(served: Served, table: str) -> int:
    row = await served.app.db.row(f"select count(*) from {table}")
    return int(row[0]) if row else -1


async def test_a_source_may_be_deleted_at_once(tmp_path: Path) -> None:
    async with site(chain(3)) as server, serving(tmp_path) as served:
        source, _ = await crawled_over_http(served, server)
        assert (await served.call("DELETE", "/v1/sources/site")).status_code == 204
        listed = await served.call("GET", "/v1/sources")
        assert [entry["slug"] for entry in listed.json()["data"]] == ["shop", "docs"]
        assert source["id"] in served.app.revocations
        assert len(await events_of_type(served.app, "source.revoked")) == 1
        docs = await served.call("DELETE", "/v1/sources/docs")
        assert docs.status_code == 204 and (await served.client.get("/")).status_code == 200


async def test_a_revoked_source_is_left_alone_by_the_worker_that_was_at_it(tmp_path: Path) -> None:
    async with site(chain()) as server, running(tmp_path) as app:
        actor = await operator(app)
        _, job = await sources.create(app, actor, NewSource(server.url + "/", slug="site"))
        assert job is not None
        embedder, loop = app.engines.embedder, asyncio.get_running_loop()
        assert isinstance(embedder, FakeEmbedder)
        embedder.before_embedding = lambda: asyncio.run_coroutine_threadsafe(
            sources.revoke(app, actor, "site"), loop
        ).result()
        await worker.run(app, job.id)
        row = await app.db.row("select status from jobs where id = ?", (job.id,))
        assert row is not None and row["status"] == "canceled"
        assert (await sources.get(app, actor, "site")).status == "revoked"
        await worker.dispose(app)
        for table in ("versions", "pages", "chunks"):
            left = await app.db.row(f"select count(*) from {table}")
            assert left is not None and left[0] == 0
        assert await check(app.db) == []


async def test_lists_go_page_by_page(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for name in "abcd":
            await served.call("POST", "/v1/sources", json={"url": "https://example.com/", "slug": name})
        first = (await served.call("GET", "/v1/sources", params={"limit": 2})).json()
        after = {"limit": 100, "starting_after": first["data"][-1]["id"]}
        rest = (await served.call("GET", "/v1/sources", params=after)).json()
        before = {"limit": 2, "ending_before": rest["data"][1]["id"]}
        back = (await served.call("GET", "/v1/sources", params=before)).json()
        jobs = (await served.call("GET", "/v1/jobs", params={"source": "a"})).json()
        queued = (await served.call("GET", "/v1/jobs", params={"status": "queued", "limit": 3})).json()
        none = (await served.call("GET", "/v1/jobs", params={"status": "failed"})).json()
        missing = await served.call("GET", "/v1/jobs", params={"source": "none"})
        wrong = await served.call("GET", "/v1/jobs", params={"status": "lost"})
        no_id = await served.call("GET", "/v1/sources", params={"starting_after": "2"})
    assert ([source["slug"] for source in first["data"]], first["has_more"]) == (["d", "c"], True)
    assert ([source["slug"] for source in rest["data"]], rest["has_more"]) == (["b", "a", "shop", "docs"], False)
    assert ([source["slug"] for source in back["data"]], back["has_more"]) == (["c", "b"], True)
    assert [job["source"] for job in jobs["data"]] == [rest["data"][1]["id"]]
    assert (len(queued["data"]), queued["has_more"], none["data"]) == (3, True, [])
    assert (missing.status_code, missing.json()["param"]) == (404, "source")
    assert (wrong.status_code, wrong.json()["param"]) == (400, "status")
    assert (no_id.status_code, no_id.json()["param"]) == (400, "starting_after")


async def test_who_may(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await served.call("POST", "/v1/sources", json=SITE)
        for method, path in (
            ("PATCH", "/v1/sources/help"),
            ("POST", "/v1/sources/help/recrawl"),
            ("POST", "/v1/sources/help/revoke"),
            ("DELETE", "/v1/sources/help"),
        ):
            body = {"json": {}} if method == "PATCH" else {}
            assert await refused_to_others(served, method, path, **body) == (404, 403)
            missing = await served.call(method, path.replace("help", "none"), **body)
            assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
        assert await refused_to_others(served, "GET", "/v1/sources/help") == (404, 200)
        assert await refused_to_others(served, "POST", "/v1/sources", json={}) == (201, 403)


async def test_by_url(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        actor = await operator(app)
        made, _ = await sources.create(app, actor, NewSource("https://www.example.com/#top"))
        assert await sources.by_url(app, actor, "https://www.example.com/") == made
        with pytest.raises(FlowChatError) as caught:
            sources.crawl_url("example")
        assert caught.value.code == "bad_url"
