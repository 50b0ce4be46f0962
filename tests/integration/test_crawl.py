"""Crawls of small sites: which pages they find, which they leave, and why."""

from itertools import product
from pathlib import Path

import pytest
from appliance import operator, running
from crawling import crawled, finished, html, requested, site, source_of
from loopback import Server, answer, redirect

from flowchat.domain import Job, Page
from flowchat.ingest import site as politeness
from flowchat.services import sources
from flowchat.services.context import Appliance
from flowchat.services.source_requests import NewSource
from flowchat.store import pages, versions

LONG = " ".join("".join(letters) for letters in product("bdfgklmn", "aeiou", "prstvwz")) + "."


async def became(app: Appliance, server: Server, job: Job) -> dict[str, str]:
    """{path: what became of the page} of a job's version."""
    version = await versions.get(app.db, job.version_id or "")
    assert version, job.error
    listed = await pages.all_of(app.db, version.seq)
    return {page.url.removeprefix(server.url): page.reason or page.status for page in listed}


async def page_of(app: Appliance, server: Server, job: Job, path: str) -> Page:
    version = await versions.get(app.db, job.version_id or "")
    assert version
    page = await pages.find(app.db, version.seq, server.url + path)
    assert page
    return page


async def recrawled(app: Appliance, job: Job) -> Job:
    again = await sources.recrawl(app, await operator(app), job.source_id or "")
    return await finished(app, again)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RETRY_PAUSE_S": 0.0, "BUSY_PAUSES_S": (0.0, 0.0), "MIN_SLOW_S": 0.0}.items():
        monkeypatch.setattr(politeness, name, value)


async def test_pages_are_found_in_sitemaps_feeds_and_llms_txt(tmp_path: Path) -> None:
    async with running(tmp_path) as app, site({}) as server:
        sitemap = f"<urlset><url><loc>{server.url}/mapped</loc><lastmod>2026-01-02</lastmod></url></urlset>"
        feed = f"<rss><channel><item><link>{server.url}/news</link></item></channel></rss>"
        listed = f"# Site\n\n- [Guide]({server.url}/guide.md)\n- [Known]({server.url}/mapped.md)\n"
        server.answers = {
            "/": html("The start.", head='<link rel="alternate" type="application/rss+xml" href="/feed">'),
            "/robots.txt": answer(f"Sitemap: {server.url}/map".encode()),
            "/map": answer(sitemap.encode()),
            "/feed": answer(feed.encode(), content_type="application/rss+xml"),
            "/llms.txt": answer(listed.encode(), content_type="text/plain"),
            "/mapped": html("Only the sitemap names this page.", title="Mapped"),
            "/news": html("Only the feed names this page.", title="News"),
            "/guide.md": answer(b"# Guide\n\nOnly llms.txt names this page.", content_type="text/markdown"),
        }
        job = await crawled(app, server)
        assert await became(app, server, job) == {
            "/": "indexed",
            "/mapped": "indexed",
            "/news": "indexed",
            "/guide.md": "indexed",
        }
        assert (await page_of(app, server, job, "/mapped")).facts.modified == "2026-01-02"


async def test_what_a_page_says_of_itself(tmp_path: Path) -> None:
    head = '<meta name="description" content="All about it."><base href="/deep/">'
    async with running(tmp_path) as app, site({}) as server:
        server.answers = {
            "/": html("The start.", "page", head=head),
            "/deep/page": html("Found through the base address.", title="Deep"),
        }
        job = await crawled(app, server)
        assert await became(app, server, job) == {"/": "indexed", "/deep/page": "indexed"}
        assert (await page_of(app, server, job, "/")).facts.description == "All about it."


async def test_pages_that_give_way_to_another(tmp_path: Path) -> None:
    async with running(tmp_path) as app, site({}) as server:
        de = f'<link rel="alternate" hreflang="en" href="{server.url}/en">'
        de += f'<link rel="alternate" hreflang="de" href="{server.url}/de">'
        server.answers = {
            "/": html("The start.", "/loop/", "/gone-canonical", "/de", "/moved", "/header", "/print"),
            "/loop/": html(
                "Its canonical address redirects back.", title="Loop", head='<link rel=canonical href="/loop">'
            ),
            "/loop": redirect("/loop/"),
            "/gone-canonical": html("Its canonical page is gone.", title="G", head='<link rel=canonical href="/gone">'),
            "/de": html("Eine Seite auf Deutsch.", title="Seite", head=de),
            "/en": html("A page in English.", title="Page", head=de),
            "/moved": answer(b'<meta http-equiv="refresh" content="0; url=/new"><p>Moved.', content_type="text/html"),
            "/new": html("Where it has moved.", title="New"),
            "/header": answer(b"<p>Hidden.", content_type="text/html", x_robots_tag="noindex"),
            "/article": html(LONG, title="Article"),
            "/print": html(LONG + " Print.", "/article", title="Article"),
        }
        job = await crawled(app, server)
        assert await became(app, server, job) == {
            "/": "indexed",
            "/loop/": "indexed",
            "/loop": "redirected",
            "/gone-canonical": "indexed",
            "/gone": "http_404",
            "/de": "other_locale",
            "/en": "indexed",
            "/moved": "redirected",
            "/new": "indexed",
            "/header": "noindex",
            "/print": "indexed",
            "/article": "near_duplicate",
        }
        assert (await page_of(app, server, job, "/article")).facts.duplicate_of == server.url + "/print"
        assert job.progress.done == job.progress.total == 12
        assert (job.progress.indexed, job.progress.skipped, job.progress.failed) == (6, 5, 1)


async def test_pages_that_differ_in_a_number_are_two(tmp_path: Path) -> None:
    async with running(tmp_path) as app, site({}) as server:
        server.answers = {
            "/": html("The start.", "/a", "/b"),
            "/a": html(LONG + " It costs 10 francs.", title="Plan"),
            "/b": html(LONG + " It costs 20 francs.", title="Plan"),
        }
        assert set((await became(app, server, await crawled(app, server))).values()) == {"indexed"}


async def test_documents_among_the_pages(tmp_path: Path) -> None:
    async with running(tmp_path) as app, site({}) as server:
        shell = (
            b'<html><head><title>App</title></head><body><div id="root"></div><script src="/app.js"></script></body>'
        )
        server.answers = {
            "/": html("The start.", "/notes.txt", "/broken.pdf", "/app", "/picture", "/data.md"),
            "/notes.txt": answer(b"# not a heading\n\nA note.", content_type="text/plain"),
            "/data.md": answer(b"# A heading\n\nText.", content_type="text/plain"),
            "/broken.pdf": answer(b"%PDF-1.4 broken", content_type="application/pdf"),
            "/app": answer(shell, content_type="text/html"),
            "/picture": answer(b"\x89PNG", content_type="image/png"),
        }
        job = await crawled(app, server)
        assert await became(app, server, job) == {
            "/": "indexed",
            "/notes.txt": "indexed",
            "/data.md": "indexed",
            "/broken.pdf": "bad_document",
            "/app": "needs_javascript",
            "/picture": "not_a_page",
        }
        assert (await page_of(app, server, job, "/data.md")).title == "A heading"


class Calendar(dict[str, bytes]):
    """A site with a calendar that has no end."""

    def get(self, path: str, default: bytes | None = None) -> bytes | None:  # type: ignore[override]
        if not path.startswith("/calendar?month="):
            return super().get(path, default)
        number = int(path.partition("=")[2])
        year, month = 2000 + number // 12, number % 12 + 1
        days = " ".join(str(day) for day in range(1, 29))
        return html(f"Mo Tu We Th Fr Sa Su {days} no events", f"/calendar?month={number + 1}", title=f"{month} {year}")


async def test_a_calendar_without_end(tmp_path: Path) -> None:
    async with running(tmp_path) as app, site(Calendar()) as server:
        server.answers |= {"/": html("The start.", "/calendar?month=1", "/last"), "/last": html("The last.", title="L")}
        job = await crawled(app, server)
        outcomes = await became(app, server, job)
        assert outcomes["/last"] == "indexed"
        assert len(outcomes) < 40
        assert list(outcomes.values()).count("trap") == 1


async def test_an_unchanged_site_is_not_fetched_again(tmp_path: Path) -> None:
    async with running(tmp_path) as app, site({}) as server:
        server.has_etags = True
        server.answers = {
            "/": html("The start.", "/a", "/b", "/copy", "/hidden", "/print", title="Start"),
            "/a": html(LONG, title="A"),
            "/b": html("Another page.", "/c", title="B"),
            "/c": html("Found through another page.", title="C"),
            "/copy": html("Found through another page.", title="C"),
            "/hidden": html("Hidden.", head='<meta name="robots" content="noindex">'),
            "/print": html(LONG + " Print.", title="A"),
        }
        before = await crawled(app, server)
        first = await became(app, server, before)
        server.bodies = 0
        after = await recrawled(app, before)
        assert await became(app, server, after) == first
        assert server.bodies == 0
        assert (after.progress.embedded, after.progress.unchanged) == (0, 7)
        assert after.progress.indexed == before.progress.indexed
        live = (await source_of(app, after)).live_version
        assert live == after.version_id != before.version_id

        # The page whose copies were left out goes: one of them takes its place.
        del server.answers["/c"]
        server.answers["/b"] = html("Another page, changed.", "/d", title="B")
        server.answers["/d"] = html("A new page.", title="D")
        last = await recrawled(app, after)
        assert await became(app, server, last) == {
            key: "indexed" if key in ("/copy", "/d") else value
            for key, value in {**first, "/d": ""}.items()
            if key != "/c"
        }
        version = await versions.get(app.db, last.version_id or "")
        assert version and (version.added, version.changed, version.removed) == (1, 1, 0)


async def test_pages_that_cannot_be_fetched_just_now_stay(tmp_path: Path) -> None:
    async with running(tmp_path) as app, site({}) as server:
        server.answers = {
            "/": html("The start.", "/a", "/b", "/c"),
            **{f"/{name}": html(f"The page {name}.", title=name) for name in "abc"},
        }
        job = await crawled(app, server)
        down = answer(status="500 Internal Server Error")
        for _ in range(3):
            server.answers["/a"] = down
            job = await recrawled(app, job)
            assert (await became(app, server, job))["/a"] == "http_500"
            assert (job.progress.indexed, job.progress.reasons) == (4, {"kept": {"http_500": 1}})
        job = await recrawled(app, job)
        assert (job.progress.indexed, job.progress.reasons) == (3, {"failed": {"http_500": 1}})


async def test_most_pages_do_not_vanish_unasked(tmp_path: Path) -> None:
    async with running(tmp_path) as app, site({}) as server:
        names = [f"/p{n}" for n in range(20)]
        server.answers = {
            "/": html("The start.", *names),
            **{name: html(f"Page {name}.", title=name) for name in names},
        }
        job = await crawled(app, server)
        live = (await source_of(app, job)).live_version
        server.answers = {"/": html("Please sign in.", title="Sign in")}
        refused = await recrawled(app, job)
        assert refused.status == "failed" and "20 of the 21 pages" in (refused.error or "")
        assert (await source_of(app, job)).live_version == live


async def test_a_site_that_stops_answering_ends_the_crawl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(politeness, "MAX_DEAD", 5)
    async with running(tmp_path, crawl_timeout_s=0.1) as app, site({}) as server:
        server.answers = {"/": html("The start.", *(f"/p{n}" for n in range(50)))}
        server.answers |= {f"/p{n}": b"" for n in range(50)}
        job = await crawled(app, server, NewSource(server.url + "/", slug="site"))
        assert job.status == "failed" and "has stopped answering" in (job.error or "")
        assert len(requested(server)) < 40


@pytest.mark.parametrize(("status", "is_ended"), [("429 Too Many Requests", True), ("503 Service Unavailable", False)])
async def test_a_site_that_stays_too_busy_ends_the_crawl(tmp_path: Path, status: str, is_ended: bool) -> None:
    """503 may be the trouble of a few pages: it is believed of a site only after more of them."""
    async with running(tmp_path) as app, site({}) as server:
        names = [f"/p{n}" for n in range(8)]
        server.answers = {"/": html("The start.", *names, "/last"), "/last": html("The last.", title="Last")}
        server.answers |= {name: answer(status=status) for name in names}
        job = await crawled(app, server)
        assert (job.status == "failed") == is_ended
        assert is_ended == ("goes on answering 429: it was too busy for 5 pages" in (job.error or ""))
        assert is_ended or job.progress.reasons == {"failed": {"http_503": 8}}
