"""Versions and pages over HTTP: lists, and rolling back and forward."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from appliance import operator
from crawling import chain, crawled_over_http, events_of_type, html, refused_to_others, site, work
from fakes import FakeEmbedder
from loopback import answer
from web_server import Served, make_live, serving

from flowchat.domain import NewChunk, PageFacts, PageOutcome, Version
from flowchat.services import sources, worker
from flowchat.services.check import check
from flowchat.store import chunks, pages, versions
from flowchat.store.database import Connection


async def recrawled(served: Served, times: int = 1) -> None:
    for _ in range(times):
        assert (await served.call("POST", "/v1/sources/site/recrawl")).status_code == 202
        await work(served.app)


async def test_roll_back_and_forward(tmp_path: Path) -> None:
    async with site(chain(3)) as server, serving(tmp_path) as served:
        source, _ = await crawled_over_http(served, server)
        server.answers = {"/": html("Now it is about mango.")}
        await recrawled(served)
        second, first = (await served.call("GET", "/v1/sources/site/versions")).json()["data"]
        assert [(version["number"], version["status"], version["pages"]) for version in (second, first)] == [
            (2, "live", 1),
            (1, "former", 3),
        ]
        path = "/v1/sources/site/versions"
        back = await served.call("POST", f"{path}/{first['id']}/activate")
        again = await served.call("POST", f"{path}/{first['id']}/activate")
        assert (back.status_code, back.json()["status"], again.json()) == (200, "live", back.json())
        assert (await served.call("GET", f"{path}/{second['id']}")).json()["status"] == "former"
        after = (await served.call("GET", "/v1/sources/site")).json()
        assert (after["live_version"], after["pages"]) == (source["live_version"], 3) == (first["id"], 3)
        assert await check(served.app.db) == []
        forward = await served.call("POST", f"{path}/{second['id']}/activate")
        assert forward.json()["status"] == "live"
        told = await events_of_type(served.app, "version.indexed")
        assert [event["version"] for event in told] == [first["id"], second["id"], first["id"], second["id"]]
        assert [event["job"] is None for event in told] == [False, False, True, True]
        await recrawled(served)
        assert (await served.call("GET", "/v1/sources/site")).json()["live_version"] not in (first["id"], second["id"])


async def test_what_cannot_go_live(tmp_path: Path) -> None:
    async with site(chain(2)) as server, serving(tmp_path) as served:
        source, _ = await crawled_over_http(served, server)
        path = "/v1/sources/site/versions"
        building = (await served.call("POST", "/v1/sources/site/recrawl")).json()["version"]
        begun = await served.call("POST", f"{path}/{building}/activate")
        await work(served.app)
        failed = (await served.call("POST", "/v1/sources/site/recrawl")).json()
        await served.call("POST", f"/v1/jobs/{failed['id']}/cancel")
        given_up = await served.call("POST", f"{path}/{failed['version']}/activate")
        for response in (begun, given_up):
            assert (response.status_code, response.json()["code"]) == (409, "version_not_kept")
        other = await served.call("POST", f"/v1/sources/docs/versions/{building}/activate")
        missing = await served.call("POST", f"{path}/ver_none/activate")
        assert (other.status_code, missing.status_code) == (404, 404)
        assert await refused_to_others(served, "POST", f"{path}/{source['live_version']}/activate") == (404, 403)
        await served.app.db.write(lambda conn: conn.execute("update versions set embedder = 'old' where number = 1"))
        embedded = await served.call("POST", f"{path}/{source['live_version']}/activate")
        assert (embedded.status_code, embedded.json()["code"]) == (409, "other_embedder")


async def test_only_the_kept_versions_can_go_live(tmp_path: Path) -> None:
    async with site(chain(1)) as server, serving(tmp_path) as served:
        source, _ = await crawled_over_http(served, server)
        await recrawled(served, versions.KEEP_FORMER)
        path = f"/v1/sources/site/versions/{source['live_version']}"
        assert (await served.call("GET", path)).json()["status"] == "former"
        await recrawled(served)
        assert (await served.call("GET", path)).status_code == 404
        embedder = served.app.engines.embedder
        assert isinstance(embedder, FakeEmbedder) and len(embedder.embedded) == 1


async def test_lists(tmp_path: Path) -> None:
    async with site(chain(5)) as server, serving(tmp_path) as served:
        source, _ = await crawled_over_http(served, server, exclude=["/p4"])
        await recrawled(served)
        first = (await served.call("GET", "/v1/sources/site/versions", params={"limit": 1})).json()
        after = {"starting_after": first["data"][0]["id"]}
        second = (await served.call("GET", "/v1/sources/site/versions", params=after)).json()
        assert (first["has_more"], second["has_more"]) == (True, False)
        assert [version["number"] for version in first["data"] + second["data"]] == [2, 1]
        assert second["data"][0]["id"] == source["live_version"]
        assert await refused_to_others(served, "GET", "/v1/sources/site/versions") == (404, 200)
        assert (await served.call("GET", "/v1/sources/none/versions")).status_code == 404
        assert (await served.call("GET", "/v1/sources/site/versions/none")).status_code == 404


async def test_pages_in_an_order(tmp_path: Path) -> None:
    titles = ["Mango", "apple", "Plum", "Fig", "Plum"]
    async with site(chain(5)) as server, serving(tmp_path) as served:
        for number, title in enumerate(titles):
            server.answers["/" if number == 0 else f"/p{number}"] = html(
                f"About {number}.", f"/p{number + 1}", title=title
            )
        await crawled_over_http(served, server)

        async def walked(sort: str, limit: int) -> list[str]:
            """Forwards in pages of that length, then backwards: the same."""
            there, cursor = list[dict[str, Any]](), {}
            while True:
                query = {"sort": sort, "limit": limit, "status": "indexed", **cursor}
                listed = (await served.call("GET", "/v1/sources/site/pages", params=query)).json()
                there += listed["data"]
                if not listed["has_more"]:
                    break
                cursor = {"starting_after": there[-1]["id"]}
            query = {"sort": sort, "limit": 3, "status": "indexed", "ending_before": there[-1]["id"]}
            back = (await served.call("GET", "/v1/sources/site/pages", params=query)).json()["data"]
            assert back == there[-4:-1]
            return [page["title"] for page in there]

        found = await walked("found", 2)
        assert found[0] == "Mango" and sorted(found) == sorted(titles)
        for limit in (1, 2, 5):
            assert await walked("title", limit) == sorted(titles, key=str.lower)
            assert await walked("-depth", limit) == (await walked("depth", limit))[::-1]
            assert await walked("-fetched_at", limit) == (await walked("fetched_at", limit))[::-1]
        wrong = await served.call("GET", "/v1/sources/site/pages", params={"sort": "id; drop"})
        assert (wrong.status_code, wrong.json()["param"]) == (400, "sort")


async def test_pages(tmp_path: Path) -> None:
    async with site({**chain(5), "/p2": html("Page 2.", "/gone", "/p3")}) as server, serving(tmp_path) as served:
        source, _ = await crawled_over_http(served, server)

        async def paths(**query: object) -> list[str]:
            response = await served.call("GET", "/v1/sources/site/pages", params=query)
            assert response.status_code == 200, response.text
            return [page["url"].removeprefix(server.url) for page in response.json()["data"]]

        listed = (await served.call("GET", "/v1/sources/site/pages")).json()["data"]
        assert [page["status"] for page in listed].count("indexed") == 5
        assert listed[0] == {
            "id": listed[0]["id"],
            "url": server.url + "/",
            "title": "Page 0",
            "status": "indexed",
            "reason": None,
            "http_status": 200,
            "depth": 0,
            "description": None,
            "language": None,
            "published": None,
            "modified": None,
            "duplicate_of": None,
            "fetched_at": listed[0]["fetched_at"],
        }
        assert listed[0]["fetched_at"] > source["created_at"]
        everything = await paths()
        assert await paths(status="failed") == await paths(reason="http_404") == ["/gone", "/p5"]
        assert await paths(q="GONE") == ["/gone"]
        assert await paths(limit=2) == everything[:2]
        assert await paths(starting_after=listed[1]["id"]) == everything[2:]
        assert await paths(ending_before=listed[3]["id"], limit=2) == everything[1:3]
        assert await paths(version=source["live_version"], q="/p1") == ["/p1"]
        assert (await served.call("GET", "/v1/sources/docs/pages")).json()["data"] == []
        for query, status in (
            ({"version": "ver_none"}, 404),
            ({"status": "lost"}, 400),
            ({"starting_after": "zzz"}, 400),
            ({"q": "x" * 300}, 400),
            ({"language": "p"}, 400),
        ):
            response = await served.call("GET", "/v1/sources/site/pages", params=query)
            assert (response.status_code, response.json()["param"]) == (status, next(iter(query)))
        assert await refused_to_others(served, "GET", "/v1/sources/site/pages") == (404, 200)


async def test_what_pages_say_of_themselves(tmp_path: Path) -> None:
    twin = html("The same words.")
    answers = {"/": html("Home.", "/a", "/b", "/c"), "/a": twin, "/b": twin, "/c": html("About fig.")}
    facts = PageFacts("What it is about.", "pt-br", "2025-03-14", "2026-11-02T10:00:00Z")
    async with site(answers) as server, serving(tmp_path) as served:
        source, _ = await crawled_over_http(served, server)
        seq = (await version_of(served, source, source["live_version"])).seq
        fig = PageOutcome(server.url + "/c", 1, "indexed", facts=facts)
        await served.app.db.write(lambda conn: pages.finish(conn, seq, fig))

        async def listed(**query: str) -> list[dict[str, Any]]:
            return list((await served.call("GET", "/v1/sources/site/pages", params=query)).json()["data"])

        [page] = await listed(language="pt")
        told = ("description", "language", "published", "modified")
        assert [page[name] for name in told] == [facts.description, facts.language, facts.published, facts.modified]
        assert await listed(language="pt-BR") == [page]
        assert await listed(language="pt-pt") == await listed(language="ptx") == []
        [duplicate] = await listed(reason="duplicate")
        assert (duplicate["url"], duplicate["duplicate_of"]) == (server.url + "/b", server.url + "/a")


async def version_of(served: Served, source: dict[str, Any], version_id: str) -> Version:
    version = await versions.of_source(served.app.db, source["id"], version_id)
    assert version is not None
    return version


async def test_the_pages_of_a_crawl_that_is_at_work_or_has_failed(tmp_path: Path) -> None:
    broken = answer(status="500 Internal Server Error")
    answers = {"/": html("Home.", "/p1", "/p2"), "/p1": html("It says apple."), "/p2": html("It says pear.")}
    async with site({}) as server, serving(tmp_path) as served:
        _, failed = await crawled_over_http(served, server)

        async def reasons(**query: str) -> list[tuple[str, str]]:
            listed = await served.call("GET", "/v1/sources/site/pages", params=query)
            assert listed.status_code == 200, listed.text
            return [(page["url"].removeprefix(server.url), page["reason"]) for page in listed.json()["data"]]

        assert failed["status"] == "failed"
        assert await reasons() == await reasons(version=failed["version"]) == [("/", "http_404")]
        again = (await served.call("POST", "/v1/sources/site/recrawl")).json()
        assert await reasons() == await reasons(version=again["version"]) == []
        server.answers = answers
        await work(served.app)
        good = (await served.call("GET", "/v1/sources/site")).json()
        assert (good["pages"], good["live_version"]) == (3, again["version"])
        assert (await served.call("GET", f"/v1/jobs/{failed['id']}")).json()["version"] is None  # its pages are gone
        server.answers = {**answers, "/p1": broken, "/p2": broken}
        canceled = (await served.call("POST", "/v1/sources/site/recrawl")).json()
        await served.call("POST", f"/v1/jobs/{canceled['id']}/cancel")
        assert await reasons(version=canceled["version"]) == []
        assert len(await reasons()) == 3  # the live version's
        assert await check(served.app.db) == []


async def test_a_failed_version_keeps_its_pages_but_not_their_text(tmp_path: Path) -> None:
    async with site(chain(4)) as server, serving(tmp_path) as served:
        source, _ = await crawled_over_http(served, server)
        again = (await served.call("POST", "/v1/sources/site/recrawl")).json()
        version = await version_of(served, source, again["version"])

        def index_one_page(conn: Connection) -> None:
            page = pages.finish(conn, version.seq, PageOutcome(server.url + "/new", 0, "indexed", title="New"))
            text = NewChunk("About fig.", (), "")
            vectors = served.app.engines.embedder.embed_passages([text.text])
            chunks.insert(conn, version.seq, page, "New", [text], vectors)

        await served.app.db.write(index_one_page)
        await served.call("POST", f"/v1/jobs/{again['id']}/cancel")
        await worker.dispose(served.app)
        path = f"/v1/sources/site/versions/{again['version']}"
        kept = (await served.call("GET", path)).json()
        assert (kept["status"], kept["pages"], kept["chunks"]) == ("failed", 1, 0)
        assert await check(served.app.db) == []
        against_live = await changed(served, again["version"], change="added")
        assert against_live == [("added", "/new")]
        await recrawled(served)
        assert (await served.call("GET", path)).status_code == 404
        assert await check(served.app.db) == []


async def changed(served: Served, version: str, **query: Any) -> list[tuple[str, str]]:
    """(change, path) of the changes that are listed."""
    listed = await served.call("GET", f"/v1/sources/site/versions/{version}/changes", params=query)
    assert listed.status_code == 200, listed.text
    return [(entry["change"], urlsplit(entry["url"]).path) for entry in listed.json()["data"]]


async def test_how_versions_differ(tmp_path: Path) -> None:
    async with site(chain(5)) as server, serving(tmp_path) as served:
        _, first_job = await crawled_over_http(served, server)
        first = first_job["version"]
        changes = {"/p1": html("Now it is about mango.", "/p2", "/new"), "/new": html("This is new.")}
        server.answers = chain(4) | changes  # /p3 still links to /p4
        await recrawled(served)
        second, _ = (await served.call("GET", "/v1/sources/site/versions")).json()["data"]
        counts = {"former": first, "added": 1, "changed": 1, "removed": 1}
        assert {name: second[name] for name in counts} == counts
        told = await events_of_type(served.app, "version.indexed")
        assert [[event[name] for name in ("added", "changed", "removed")] for event in told] == [[None] * 3, [1, 1, 1]]

        everything = [("removed", "/p4"), ("changed", "/p1"), ("added", "/new")]
        assert await changed(served, second["id"]) == everything
        for change, path in everything:
            assert await changed(served, second["id"], change=change) == [(change, path)]
        back = [("added", "/p4"), ("changed", "/p1"), ("removed", "/new")]
        assert sorted(await changed(served, first, against=second["id"])) == sorted(back)
        assert await changed(served, second["id"], against=second["id"]) == []
        assert await changed(served, first) == []  # nothing was before it

        path = f"/v1/sources/site/versions/{second['id']}/changes"
        listed = (await served.call("GET", path)).json()["data"]
        assert listed[0]["reason"] == "http_404" and listed[1]["reason"] is None
        after = {"starting_after": listed[0]["id"], "limit": 1}
        assert await changed(served, second["id"], **after) == everything[1:2]
        assert await changed(served, second["id"], ending_before=listed[2]["id"], limit=1) == everything[1:2]
        assert await changed(served, second["id"], ending_before=listed[0]["id"]) == []

        activated = await served.call("POST", f"/v1/sources/site/versions/{first}/activate")
        assert activated.json()["former"] is activated.json()["added"] is None
        assert (await events_of_type(served.app, "version.indexed"))[-1]["added"] is None
        server.answers = chain(5)
        await recrawled(served)
        third = (await served.call("GET", "/v1/sources/site/versions", params={"limit": 1})).json()["data"][0]
        assert {name: third[name] for name in counts} == {"former": first, "added": 0, "changed": 0, "removed": 0}


async def test_how_the_text_of_a_page_differs(tmp_path: Path) -> None:
    async with site(chain(3)) as server, serving(tmp_path) as served:
        before = html("We ship on Mondays. It costs 5 euros. Ask us if it is late.", "/p2", title="Post")
        server.answers["/p1"] = before
        _, job = await crawled_over_http(served, server)
        after = html("We ship on Mondays. It costs 7 euros. Ask us if it is late.", "/new", title="Parcels")
        server.answers |= {"/p1": after, "/new": html("This is new.", title="New")}
        del server.answers["/p2"]
        await recrawled(served)
        version = (await served.call("GET", "/v1/sources/site")).json()["live_version"]
        path = f"/v1/sources/site/versions/{version}/changes"
        listed = {page["change"]: page["id"] for page in (await served.call("GET", path)).json()["data"]}

        changed = (await served.call("GET", f"{path}/{listed['changed']}")).json()
        lines = [(line["change"], line["text"]) for part in changed["passages"] for line in part["lines"]]
        assert ("removed", "It costs 5 euros.") in lines and ("added", "It costs 7 euros.") in lines
        assert ("unchanged", "We ship on Mondays.") in lines
        assert (changed["title"], changed["former_title"]) == ("Parcels", "Post")
        assert (changed["lines_added"], changed["lines_removed"]) == (2, 2)  # with its heading
        assert changed["cut_short"] is False
        added = (await served.call("GET", f"{path}/{listed['added']}")).json()
        removed = (await served.call("GET", f"{path}/{listed['removed']}")).json()
        assert (added["former_title"], added["lines_added"], added["lines_removed"]) == (None, 2, 0)
        assert (removed["reason"], removed["lines_added"]) == (None, 0) and removed["lines_removed"] > 0

        back = f"/v1/sources/site/versions/{job['version']}/changes"
        query = {"against": version}
        other_way = {
            page["change"]: page["id"] for page in (await served.call("GET", back, params=query)).json()["data"]
        }
        turned = (await served.call("GET", f"{back}/{other_way['changed']}", params=query)).json()
        assert (turned["title"], turned["former_title"]) == ("Post", "Parcels")
        for unknown in ("pag_0000000000000001", "pag_1", "none", "pag_9999999999999999", other_way["changed"]):
            assert (await served.call("GET", f"{path}/{unknown}")).status_code == 404
        assert (await served.call("GET", f"{back}/{listed['changed']}")).status_code == 404  # a first version
        assert await refused_to_others(served, "GET", f"{path}/{listed['changed']}") == (404, 200)


async def test_changes_that_cannot_be_told(tmp_path: Path) -> None:
    async with site(chain(2)) as server, serving(tmp_path) as served:
        _, job = await crawled_over_http(served, server)
        first = job["version"]
        await recrawled(served)
        second = (await served.call("GET", "/v1/sources/site")).json()["live_version"]
        building = (await served.call("POST", "/v1/sources/site/recrawl")).json()["version"]
        path = "/v1/sources/site/versions"
        begun = await served.call("GET", f"{path}/{building}/changes")
        assert (begun.status_code, begun.json()["code"]) == (409, "version_building")
        await work(served.app)
        for _ in range(versions.KEEP_FORMER - 1):
            await recrawled(served)
        assert (await served.call("GET", f"{path}/{first}")).status_code == 404
        gone = await served.call("GET", f"{path}/{second}/changes")
        assert (gone.status_code, gone.json()["code"]) == (409, "version_not_kept")
        for query, status in (
            ({"against": first}, 404),
            ({"change": "moved"}, 400),
            ({"starting_after": "ver_1"}, 400),
            ({"limit": "0"}, 400),
        ):
            refused = await served.call("GET", f"{path}/{second}/changes", params=query)
            assert (refused.status_code, refused.json()["param"]) == (status, next(iter(query)))
        assert (await served.call("GET", f"{path}/ver_none/changes")).status_code == 404
        assert (await served.call("GET", f"/v1/sources/docs/versions/{second}/changes")).status_code == 404
        assert await refused_to_others(served, "GET", f"{path}/{second}/changes") == (404, 409)


async def test_an_old_version_is_not_compared_while_it_is_deleted(tmp_path: Path) -> None:
    async with site(chain(2)) as server, serving(tmp_path) as served:
        _, job = await crawled_over_http(served, server)
        await recrawled(served, versions.KEEP_FORMER)
        live = (await served.call("GET", "/v1/sources/site")).json()["live_version"]
        path = f"/v1/sources/site/versions/{live}/changes"
        assert (await served.call("GET", path, params={"against": job["version"]})).status_code == 200
        source = await served.call("GET", "/v1/sources/site")
        await make_live(served.app, await sources.get(served.app, await operator(served.app), source.json()["id"]))
        refused = await served.call("GET", path, params={"against": job["version"]})
        assert (refused.status_code, refused.json()["code"]) == (409, "version_not_kept")
