"""Versions and pages over HTTP: lists, and rolling back and forward."""

from pathlib import Path

from crawling import chain, crawled_over_http, events_of_type, html, refused_to_others, site, work
from fakes import FakeEmbedder
from web_server import Served, serving

from flowchat.services.check import check
from flowchat.store import versions


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
        }
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
        ):
            response = await served.call("GET", "/v1/sources/site/pages", params=query)
            assert (response.status_code, response.json()["param"]) == (status, next(iter(query)))
        assert await refused_to_others(served, "GET", "/v1/sources/site/pages") == (404, 200)
