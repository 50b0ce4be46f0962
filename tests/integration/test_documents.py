"""Uploaded documents over HTTP: stored, indexed, replaced, deleted, and what is refused."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from appliance import operator
from crawling import events_of_type, found, refused_to_others, work
from fakes import FakeEmbedder
from office_files import docx, pdf
from web_server import Served, serving

from flowchat.services import sources, worker
from flowchat.services.check import check

PATH = "/v1/sources/manuals/documents"


def upload(*files: tuple[str, bytes], **fields: str) -> dict[str, Any]:
    """The options of a request that uploads these (name, content)."""
    return {"files": [("file", (name, content)) for name, content in files], "data": fields}


async def make_source(served: Served) -> None:
    assert (await served.call("POST", "/v1/sources", json={"slug": "manuals"})).status_code == 201


async def words_in(served: Served, word: str) -> list[str]:
    return await found(served.app, await sources.get(served.app, await operator(served.app), "manuals"), word)


async def test_documents_of_every_kind_are_indexed(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await make_source(served)
        files = (
            ("returns.md", b"# Returns\n\nApples may be sent back.\n"),
            ("delivery.html", b"<title>Delivery</title><main><p>Bananas are sent by post.</p></main>"),
            ("notes.txt", b"Cherries are sold out."),
            ("manual.pdf", pdf(("Dates are sweet.",), ("Elderberries are sour.",))),
            ("guide.docx", docx("Guide", "Figs are green.")),
        )
        created = await served.call("POST", PATH, **upload(*files))
        body = created.json()
        assert (created.status_code, created.headers["Location"]) == (201, f"/v1/sources/{body['source']}/documents")
        assert [document["name"] for document in body["documents"]] == [name for name, _ in files]
        assert {(document["status"], document["url"]) for document in body["documents"]} == {("pending", None)}
        assert (body["job"]["type"], body["job"]["status"]) == ("index_documents", "queued")
        await work(served.app)
        job = (await served.call("GET", f"/v1/jobs/{body['job']['id']}")).json()
        assert (job["status"], job["progress"]["indexed"], job["progress"]["total"]) == ("succeeded", 5, 5)
        listed = (await served.call("GET", PATH)).json()["data"]
        assert {(entry["name"], entry["status"]) for entry in listed} == {(name, "indexed") for name, _ in files}
        source = (await served.call("GET", "/v1/sources/manuals")).json()
        assert (source["status"], source["pages"], source["url"]) == ("ready", 5, None)
        assert await words_in(served, "elderberries") == ["#manual.pdf"]
        assert await words_in(served, "figs") == ["#guide.docx"]
        assert await check(served.app.db) == []
        [told] = await events_of_type(served.app, "version.indexed")
        assert (told["version"], told["slug"], told["pages"]) == (source["live_version"], "manuals", 5)


async def test_a_document_with_an_address_is_cited_by_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await make_source(served)
        url = "https://shop.example/manual.pdf"
        content = pdf(("Dates are sweet.",), ("Elderberries are sour.",))
        created = await served.call("POST", PATH, **upload(("manual.pdf", content), url=url))
        assert created.json()["documents"][0]["url"] == url
        await work(served.app)
        assert await words_in(served, "elderberries") == [f"{url}#page=2"]
        other = await served.call("POST", PATH, **upload(("copy.pdf", content), url=url))
        several = await served.call("POST", PATH, **upload(("a.md", b"a"), ("b.md", b"b"), url=url))
        no_url = await served.call("POST", PATH, **upload(("a.md", b"a"), url="manual.pdf"))
        assert (other.status_code, other.json()["code"]) == (409, "url_taken")
        assert (several.status_code, several.json()["code"]) == (409, "url_of_several")
        assert (no_url.status_code, no_url.json()["param"]) == (400, "url")


async def test_only_what_changed_is_embedded(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await make_source(served)
        embedder = served.app.engines.embedder
        assert isinstance(embedder, FakeEmbedder)
        first = await served.call("POST", PATH, **upload(("a.md", b"Apple."), ("b.pdf", pdf(("Banana.",)))))
        await work(served.app)
        assert len(embedder.embedded) == 2
        replaced = await served.call("POST", PATH, **upload(("a.md", b"Avocado."), ("c.txt", b"Cherry.")))
        assert replaced.json()["documents"][0]["id"] == first.json()["documents"][0]["id"]
        assert replaced.json()["documents"][0]["status"] == "pending"
        await work(served.app)
        assert len(embedder.embedded) == 4
        assert [await words_in(served, word) for word in ("apple", "avocado", "banana")] == [[], ["#a.md"], ["#b.pdf"]]
        usage = await served.app.db.row("select sum(pages_crawled) as p, sum(chunks_embedded) as c from usage_ledger")
        assert usage is not None and (usage["p"], usage["c"]) == (0, 4)
        assert await check(served.app.db) == []


async def test_delete(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await make_source(served)
        made = await served.call("POST", PATH, **upload(("a.md", b"Apple."), ("b.md", b"Banana.")))
        await work(served.app)
        first, second = (f"{PATH}/{document['id']}" for document in made.json()["documents"])
        assert await refused_to_others(served, "DELETE", first) == (404, 403)
        assert await refused_to_others(served, "GET", first) == (404, 200)
        assert (await served.call("DELETE", first)).status_code == 204
        assert (await served.call("GET", first)).status_code == 404
        assert (await served.call("DELETE", first)).status_code == 404
        await work(served.app)
        assert [await words_in(served, word) for word in ("apple", "banana")] == [[], ["#b.md"]]
        await served.call("DELETE", second)
        await work(served.app)
        source = (await served.call("GET", "/v1/sources/manuals")).json()
        assert (source["status"], source["pages"], await words_in(served, "banana")) == ("ready", 0, [])
        assert await check(served.app.db) == []


async def test_what_comes_while_a_job_is_at_work_is_indexed_by_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await make_source(served)
        first = (await served.call("POST", PATH, **upload(("a.md", b"Apple.")))).json()
        queued = (await served.call("POST", PATH, **upload(("b.md", b"Banana.")))).json()
        embedder, loop = served.app.engines.embedder, asyncio.get_running_loop()
        assert isinstance(embedder, FakeEmbedder)
        late: list[httpx.Response] = []

        def more() -> None:
            embedder.before_embedding = lambda: None
            call = served.call("POST", PATH, **upload(("c.md", b"Cherry."), ("a.md", b"Avocado.")))
            late.append(asyncio.run_coroutine_threadsafe(call, loop).result())

        embedder.before_embedding = more
        await worker.run(served.app, first["job"]["id"])
        assert {first["job"]["id"], queued["job"]["id"], late[0].json()["job"]["id"]} == {first["job"]["id"]}
        job = (await served.call("GET", f"/v1/jobs/{first['job']['id']}")).json()
        assert (job["status"], job["progress"]["indexed"]) == ("succeeded", 3)
        listed = (await served.call("GET", PATH)).json()["data"]
        assert {entry["status"] for entry in listed} == {"indexed"}
        assert [await words_in(served, word) for word in ("apple", "avocado", "cherry")] == [[], ["#a.md"], ["#c.md"]]
        assert sorted(embedder.embedded) == ["a.md\nApple.", "a.md\nAvocado.", "b.md\nBanana.", "c.md\nCherry."]
        assert await check(served.app.db) == []


async def test_an_interrupted_upload_goes_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await make_source(served)
        embedder = served.app.engines.embedder
        assert isinstance(embedder, FakeEmbedder)
        made = (await served.call("POST", PATH, **upload(("a.md", b"Apple.")))).json()
        embedder.before_embedding = served.app.stopping.set
        await worker.run(served.app, made["job"]["id"])
        served.app.stopping.clear()
        embedder.before_embedding = lambda: None
        assert (await served.call("GET", f"/v1/jobs/{made['job']['id']}")).json()["status"] == "queued"
        await served.call("POST", PATH, **upload(("b.md", b"Banana.")))
        await work(served.app)
        assert [await words_in(served, word) for word in ("apple", "banana")] == [["#a.md"], ["#b.md"]]


async def test_twins_and_recrawl(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await make_source(served)
        await served.call("POST", PATH, **upload(("a.md", b"Apple."), ("twin.md", b"Apple.")))
        await work(served.app)
        listed = (await served.call("GET", PATH)).json()["data"]
        assert {entry["status"] for entry in listed} == {"indexed"}
        again = await served.call("POST", "/v1/sources/manuals/recrawl")
        assert (again.status_code, again.json()["type"]) == (202, "index_documents")
        await work(served.app)
        assert (await served.call("GET", again.headers["Location"])).json()["progress"]["reasons"] == {
            "skipped": {"duplicate": 1}
        }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("photo.png", b"\x89PNG\r\n\x1a\n"),
        ("manual.pdf", b"%PDF-1.7 damaged"),
        ("locked.pdf", pdf(("Secret.",), is_locked=True)),
        ("guide.docx", b"no zip"),
        ("empty.md", b""),
        ("x" * 201 + ".md", b"Apple."),
    ],
)
async def test_a_bad_file_is_refused_before_anything_is_stored(tmp_path: Path, name: str, content: bytes) -> None:
    async with serving(tmp_path) as served:
        await make_source(served)
        refused = await served.call("POST", PATH, **upload(("good.md", b"Apple."), (name, content)))
        assert (refused.status_code, refused.json()["param"]) == (400, "file"), refused.text
        assert (await served.call("GET", PATH)).json()["data"] == []
        assert (await served.call("GET", "/v1/jobs")).json()["data"] == []


async def test_what_is_no_upload(tmp_path: Path) -> None:
    async with serving(tmp_path, upload_max_bytes=100_000) as served:
        await make_source(served)
        refused = {
            "json": await served.call("POST", PATH, json={}),
            "nothing": await served.call("POST", PATH),
            "no file": await served.call("POST", PATH, files=[("other", ("a.md", b"Apple."))]),
            "too many": await served.call("POST", PATH, **upload(*((f"{n}.md", b"Apple.") for n in range(21)))),
            "too large": await served.call("POST", PATH, **upload(("a.txt", b"apple " * 20_000))),
            "crawled": await served.call("POST", "/v1/sources/docs/documents", **upload(("a.md", b"Apple."))),
            "missing": await served.call("POST", "/v1/sources/none/documents", **upload(("a.md", b"Apple."))),
        }
        assert {name: response.status_code for name, response in refused.items()} == {
            "json": 415,
            "nothing": 415,
            "no file": 400,
            "too many": 400,
            "too large": 413,
            "crawled": 409,
            "missing": 404,
        }
        large = await served.call("POST", PATH, **upload(("a.txt", b"apple " * 15_000)))
        assert large.status_code == 201, large.text
        await served.call("POST", "/v1/sources", json={"url": "https://shop.example/", "slug": "site"})
        crawled = await served.call("POST", "/v1/sources/site/documents", **upload(("a.md", b"Apple.")))
        assert (crawled.status_code, crawled.json()["code"]) == (409, "source_is_crawled")
        await served.call("POST", "/v1/sources/manuals/revoke")
        revoked = await served.call("POST", PATH, **upload(("a.md", b"Apple.")))
        assert (revoked.status_code, revoked.json()["code"]) == (409, "source_revoked")
        await worker.dispose(served.app)
        row = await served.app.db.row("select count(*) from documents")
        assert row is not None and row[0] == 0
        assert await refused_to_others(served, "POST", PATH, **upload(("a.md", b"Apple."))) == (404, 403)


async def test_nothing_is_taken_from_strangers(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await make_source(served)
        for _ in range(2):  # the connection stays usable, or is closed
            response = await served.client.post(PATH, **upload(("a.txt", b"apple " * 1_000_000)))
            assert response.status_code == 401


async def test_a_folder_in_a_name_and_an_idempotent_upload(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await make_source(served)
        headers = {"Authorization": f"Bearer {served.admin}", "Idempotency-Key": "once"}
        first, again = [
            await served.client.post(PATH, headers=headers, **upload(("C:\\docs\\Größe 1.md", b"Apple.")))
            for _ in range(2)
        ]
        assert first.json() == again.json() and again.headers["Idempotent-Replayed"] == "true"
        assert first.json()["documents"][0]["name"] == "Größe 1.md"
        await work(served.app)
        assert await words_in(served, "apple") == ["#Gr%C3%B6%C3%9Fe%201.md"]
