"""What a recrawl makes of pages that have not changed, when something around them has."""

import socket
from pathlib import Path

import pytest
from appliance import operator, running
from crawling import crawled, finished, html, site
from fakes import FakeEmbedder, fake_engines
from loopback import answer, redirect
from test_crawl import LONG, became, impatient, recrawled  # noqa: F401 (a fixture)

from flowchat.ingest import crawl, pipeline
from flowchat.services import sources
from flowchat.services.context import Appliance
from flowchat.services.source_requests import NewSource, SourceChange

WORDS = [" ".join(LONG.split()[n * 7 : n * 7 + 7]) for n in range(40)]
CANONICAL = '<link rel="canonical" href="/canonical">'


async def changed(app: Appliance, **fields: object) -> None:
    await sources.update(app, await operator(app), "site", SourceChange(**fields))  # type: ignore[arg-type]


async def test_what_only_a_near_duplicate_links_to_stays(tmp_path: Path) -> None:
    async with running(tmp_path) as app, site({}) as server:
        server.has_etags = True
        server.answers = {
            "/": html("The start.", "/article", "/print"),
            "/article": html(LONG, title="Article"),
            "/print": html(LONG + " Print.", "/only-here", title="Article"),
            "/only-here": html("Only the print version leads here.", title="Only here"),
        }
        job = await crawled(app, server)
        first = await became(app, server, job)
        assert (first["/print"], first["/only-here"]) == ("near_duplicate", "indexed")
        for _ in range(2):
            job = await recrawled(app, job)
            assert await became(app, server, job) == first


async def test_a_near_duplicate_of_a_page_that_has_changed_is_indexed(tmp_path: Path) -> None:
    async with running(tmp_path) as app, site({}) as server:
        server.has_etags = True
        server.answers = {
            "/": html("The start.", "/article", "/print"),
            "/article": html(LONG, title="Article"),
            "/print": html(LONG + " Print.", title="Article"),
        }
        job = await crawled(app, server)
        assert (await became(app, server, job))["/print"] == "near_duplicate"
        server.answers["/article"] = html("Moved into the archive.", title="Article")
        assert (await became(app, server, await recrawled(app, job)))["/print"] == "indexed"


async def test_a_page_whose_canonical_page_has_gone_comes_back(tmp_path: Path) -> None:
    async with running(tmp_path) as app, site({}) as server:
        server.has_etags = True
        server.answers = {
            "/": html("The start.", "/a", "/b"),
            "/a": html("One page of it.", title="A", head=CANONICAL),
            "/b": html("Another page of it.", title="B", head=CANONICAL),
            "/canonical": html("All of it.", title="All"),
        }
        job = await crawled(app, server)
        assert (await became(app, server, job))["/a"] == "canonical_elsewhere"
        del server.answers["/canonical"]
        job = await recrawled(app, job)
        expected = {"/": "indexed", "/a": "indexed", "/b": "indexed", "/canonical": "http_404"}
        assert await became(app, server, job) == expected


async def test_a_canonical_page_that_robots_may_not_fetch(tmp_path: Path) -> None:
    async with running(tmp_path) as app, site({}) as server:
        server.answers = {
            "/": html("The start.", "/a"),
            "/robots.txt": answer(b"User-agent: *\nDisallow: /canonical"),
            "/a": html("One page of it.", title="A", head=CANONICAL),
        }
        job = await crawled(app, server)
        assert await became(app, server, job) == {"/": "indexed", "/a": "indexed", "/canonical": "robots"}


async def test_another_locale_reads_unchanged_pages_anew(tmp_path: Path) -> None:
    both = '<link rel="alternate" hreflang="en" href="/en"><link rel="alternate" hreflang="de" href="/de">'
    async with running(tmp_path) as app, site({}) as server:
        server.has_etags = True
        server.answers = {
            "/": html("The start.", "/de", "/en"),
            "/de": html("Eine Seite auf Deutsch.", title="Seite", head=both),
            "/en": html("A page in English.", title="Page", head=both),
        }
        job = await crawled(app, server)
        assert await became(app, server, job) == {"/": "indexed", "/de": "other_locale", "/en": "indexed"}
        await changed(app, locale="de")
        job = await recrawled(app, job)
        assert await became(app, server, job) == {"/": "indexed", "/de": "indexed", "/en": "other_locale"}


async def test_other_patterns_read_unchanged_pages_anew(tmp_path: Path) -> None:
    async with running(tmp_path) as app, site({}) as server:
        server.has_etags = True
        server.answers = {
            "/": html("The start.", "/a"),
            "/a": html("One page of it.", title="A", head=CANONICAL),
            "/canonical": html("All of it.", title="All"),
        }
        job = await crawled(app, server)
        await changed(app, exclude=["/canonical", "/"])
        job = await recrawled(app, job)
        assert await became(app, server, job) == {"/": "not_included", "/a": "indexed"}


async def test_fewer_pages_by_the_owners_own_limits(tmp_path: Path) -> None:
    async with running(tmp_path) as app, site({}) as server:
        server.answers = {f"/p{n}": html(WORDS[n], f"/p{n + 1}", title=f"Page {n}") for n in range(40)}
        server.answers["/"] = html("The start.", "/p0")
        job = await crawled(app, server)
        assert job.progress.indexed == 41
        await changed(app, max_pages=5)
        job = await recrawled(app, job)
        assert (job.status, job.error, job.progress.indexed) == ("succeeded", None, 5)
        await changed(app, max_pages=None)
        job = await recrawled(app, job)
        await changed(app, max_depth=4)
        job = await recrawled(app, job)
        assert (job.status, job.error, job.progress.indexed) == ("succeeded", None, 5)


async def test_max_pages_is_met_exactly(tmp_path: Path) -> None:
    names = [f"/p{n}" for n in range(30)]
    async with running(tmp_path, crawl_concurrency=4) as app, site({}) as server:
        server.answers = {"/": html("The start.", *names)}
        server.answers |= {name: html(f"The page {name}.", title=name) for name in names}
        job = await crawled(app, server, NewSource(server.url + "/", slug="site", max_pages=7))
        assert job.progress.indexed == 7


async def test_copies_are_not_embedded(tmp_path: Path) -> None:
    embedder = FakeEmbedder()
    async with site({}) as server, running(tmp_path, fake_engines(embedder=embedder)) as app:
        server.has_etags = True
        names = [f"/p{n}" for n in range(100)]
        server.answers = {"/": html("The start.", *names, "/copy")}
        server.answers |= {name: html(f"The page {name}.", title=name) for name in names}
        server.answers["/copy"] = server.answers["/p0"].replace(b"<title>/p0<", b"<title>/pX<")
        job = await crawled(app, server)
        assert job.progress.reasons == {"skipped": {"duplicate": 1}}
        assert (job.progress.embedded, len(embedder.embedded)) == (101, 101)
        job = await recrawled(app, job)
        assert (job.progress.embedded, len(embedder.embedded)) == (0, 0 + 101)


async def test_a_sitemap_that_is_out_of_order_costs_no_page(tmp_path: Path) -> None:
    async with running(tmp_path) as app, site({}) as server:
        named = answer("".join(f"{server.url}/{name}\n" for name in "abc").encode())
        server.answers = {"/": html("The start."), "/sitemap.xml": named}
        server.answers |= {f"/{name}": html(f"The page {name}.", title=name) for name in "abc"}
        job = await crawled(app, server)
        first = await became(app, server, job)
        assert len(first) == 4
        server.answers["/sitemap.xml"] = answer(status="503 Service Unavailable")
        job = await recrawled(app, job)
        assert await became(app, server, job) == first
        del server.answers["/sitemap.xml"]
        assert await became(app, server, await recrawled(app, job)) == {"/": "indexed"}


async def test_a_sitemap_of_other_folders_comes_before_the_one_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crawl, "MIN_KNOWN_URLS", 10)
    async with running(tmp_path) as app, site({}) as server:
        maps = "".join(f"Sitemap: {server.url}/{name}\n" for name in ("blog", "docs"))
        server.answers = {
            "/robots.txt": answer(maps.encode()),
            "/blog": answer("".join(f"{server.url}/blog/{n}\n" for n in range(50)).encode()),
            "/docs": answer(f"{server.url}/docs/a\n".encode()),
            "/docs/": html("The start."),
            "/docs/a": html("Only the sitemap names this page.", title="A"),
        }
        job = await crawled(app, server, NewSource(server.url + "/docs/", slug="site", max_pages=2))
        assert await became(app, server, job) == {"/docs/": "indexed", "/docs/a": "indexed"}


async def test_what_a_sitemap_names_is_no_trap(tmp_path: Path) -> None:
    names = [f"/product?lang=en&page={n}&id={n}" for n in range(60)]
    async with running(tmp_path) as app, site({}) as server:
        named = answer("".join(f"{server.url}{name}\n" for name in names).encode())
        server.answers = {"/": html("The start."), "/sitemap.xml": named}
        for n, name in enumerate(names):
            server.answers[name] = html(f"Our product costs {n} francs.", title=f"Product {n}")
        assert (await crawled(app, server)).progress.indexed == 61


async def test_a_source_that_has_moved_is_guarded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where robots.txt leads, here from localhost to www.localhost, the pages are."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *args, **named: resolve("127.0.0.1", *args, **named))
    async with running(tmp_path, allow_private_hosts=("localhost", "www.localhost")) as app, site({}) as server:
        names = [f"/p{n}" for n in range(20)]
        old, new = f"http://localhost:{server.port}", f"http://www.localhost:{server.port}"
        server.answers = {"/robots.txt": redirect(f"{new}/robots.txt"), "/": html("The start.", *names)}
        server.answers |= {name: html(f"Page {name}.", title=name) for name in names}
        _, job = await sources.create(app, await operator(app), NewSource(old + "/", slug="site"))
        assert job and (await finished(app, job)).progress.indexed == 21
        server.answers = {"/robots.txt": redirect(f"{new}/robots.txt"), "/": html("Please sign in.")}
        refused = await recrawled(app, job)
        assert refused.status == "failed" and "20 of the 21 pages" in (refused.error or "")


async def test_what_changes_while_a_crawl_is_paused_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "BATCH_PAGES", 1)
    embedder = FakeEmbedder()
    async with site({}) as server, running(tmp_path, fake_engines(embedder=embedder)) as app:
        names = [f"/p{n}" for n in range(6)]
        server.answers = {"/": html("The start.", *names)}
        server.answers |= {name: html(f"Page {name}.", title=name) for name in names}
        _, job = await sources.create(app, await operator(app), NewSource(server.url + "/", slug="site"))
        assert job
        calls = iter(range(3, -1, -1))
        embedder.before_embedding = lambda: app.stopping.set() if not next(calls, 1) else None
        job = await finished(app, job)
        assert (job.status, job.progress.indexed) == ("queued", 3)
        app.stopping.clear()
        await changed(app, exclude=["/p0", "/p5"])
        job = await finished(app, job)
        kept = [path for path in server.answers if path not in ("/p0", "/p5")]
        assert await became(app, server, job) == dict.fromkeys(kept, "indexed")
