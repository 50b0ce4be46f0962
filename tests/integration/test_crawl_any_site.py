"""Random sites: however often a crawl is interrupted, and whatever a recrawl is spared, the same is found."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from appliance import operator, running
from crawling import finished, html, site
from fakes import FakeEmbedder, fake_engines
from loopback import answer, redirect
from test_crawl import LONG, became

from flowchat.domain import Job
from flowchat.ingest import pipeline
from flowchat.ingest import site as politeness
from flowchat.services import sources
from flowchat.services.check import check
from flowchat.services.context import Appliance
from flowchat.services.source_requests import NewSource, RecrawlRequest

PAGES = 40
WORDS = LONG.rstrip(".").split()
KINDS = ["copy", "near", "canonical", "canonical", "refresh", "moved", "gone", "hidden"]
SEEDS = range(3)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "BATCH_PAGES", 3)
    monkeypatch.setattr(politeness, "RETRY_PAUSE_S", 0.0)


def name_of(number: int) -> str:
    return "/" + "abcdefghij"[number // 10] + "klmnopqrst"[number % 10] + random.Random(number).choice(["", "/", "?q"])


def any_site(rng: random.Random) -> dict[str, bytes]:
    """Pages with links to others, some of which are gone, copies, moved, hidden, or name another as canonical."""
    names = [name_of(number) for number in range(PAGES)]
    answers: dict[str, bytes] = {"/robots.txt": answer(b"User-agent: *\nDisallow: /a")}
    for number, name in enumerate(["/", *names]):
        links = rng.sample(names, rng.randint(1, 3)) + names[2 * number : 2 * number + 2]
        text = " ".join(random.Random(number).sample(WORDS, 60))
        kind = rng.choice(
            ["page"] * 8 + ["copy", "near", "canonical", "canonical", "refresh", "moved", "gone", "hidden"]
        )
        other = rng.choice(names)
        head = ""
        if kind == "canonical":
            head = f'<link rel="canonical" href="{other}">'
        elif kind == "refresh":
            head = f'<meta http-equiv="refresh" content="0; url={other}">'
        elif kind == "hidden":
            head = '<meta name="robots" content="noindex">'
        elif kind == "copy":
            text = LONG
        elif kind == "near":
            text = LONG + " " + rng.choice(WORDS)
        title = "Copies" if kind in ("copy", "near") else f"Page {name}"
        if name == "/" or kind not in ("moved", "gone"):
            answers[name] = html(text, *links, head=head, title=title)
        elif kind == "moved":
            answers[name] = redirect(other)
    named = "\n".join("http://x" + name for name in rng.sample(names, 3))
    return answers | {"/sitemap.xml": answer(named.encode())}


def on_port(answers: dict[str, bytes], url: str) -> dict[str, bytes]:
    sitemap = answers["/sitemap.xml"].partition(b"\r\n\r\n")[2].replace(b"http://x", url.encode())
    return answers | {"/sitemap.xml": answer(sitemap)}


def told(outcomes: dict[str, str], answers: dict[str, bytes]) -> dict[str, str]:
    """The outcomes, alike for copies of one another: which of them is indexed depends on the order."""
    same = ("indexed", "duplicate", "near_duplicate")
    copies = [path for path in outcomes if b"<title>Copies<" in answers.get(path, b"")]
    counted = {path: "copy" if path in copies and outcomes[path] in same else outcomes[path] for path in outcomes}
    return counted | {"copies": str(sum(outcomes[path] == "indexed" for path in copies))}


async def interrupted(app: Appliance, job: Job, rng: random.Random) -> Job:
    """The job, interrupted before some batch again and again until it is done."""
    embedder = app.engines.embedder
    assert isinstance(embedder, FakeEmbedder)
    while job.status == "queued":
        calls = iter(range(rng.randint(0, 3), -1, -1))
        embedder.before_embedding = lambda calls=calls: app.stopping.set() if not next(calls, 1) else None  # type: ignore[misc]
        if rng.random() < 0.3:
            asyncio.get_running_loop().call_later(rng.random() / 20, app.stopping.set)
        job = await finished(app, job)
        await asyncio.sleep(0.06)
        app.stopping.clear()
        assert await check(app.db) == []
    embedder.before_embedding = lambda: None
    return job


async def begun(app: Appliance, url: str, slug: str) -> Job:
    _, job = await sources.create(app, await operator(app), NewSource(url + "/", slug=slug))
    assert job is not None
    return job


async def again(app: Appliance, job: Job) -> Job:
    """Another crawl, queued, that may remove any number of pages."""
    request = RecrawlRequest(accept_removals=True)
    return await sources.recrawl(app, await operator(app), job.source_id or "", request)


@pytest.mark.parametrize("seed", SEEDS)
async def test_any_site_however_it_is_crawled(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    async with site({}) as server, running(tmp_path, fake_engines(embedder=FakeEmbedder())) as app:
        server.has_etags = True
        before, after = any_site(rng), any_site(rng)
        # Half of the pages stay as they were, so that they are not sent again.
        after |= {path: before[path] for path in before if path in after and rng.random() < 0.5}

        async def outcomes(job: Job, answers: dict[str, Any]) -> dict[str, str]:
            assert job.status == "succeeded", job.error
            assert (
                job.progress.done
                == job.progress.total
                == job.progress.indexed + job.progress.skipped + job.progress.failed
            )
            return told(await became(app, server, job), answers)

        server.answers = on_port(before, server.url)
        first = await finished(app, await begun(app, server.url, "first"))
        expected = await outcomes(first, before)
        cut = await interrupted(app, await begun(app, server.url, "cut"), rng)
        assert await outcomes(cut, before) == expected
        assert await outcomes(await finished(app, await again(app, first)), before) == expected

        server.answers = on_port(after, server.url)
        expected = await outcomes(await finished(app, await begun(app, server.url, "fresh")), after)
        assert await outcomes(await finished(app, await again(app, first)), after) == expected
        assert await outcomes(await interrupted(app, await again(app, cut), rng), after) == expected
