"""A look at a site before it becomes a source."""

from pathlib import Path

from crawling import chain, html, refused_to_others, requested, site
from loopback import answer, redirect
from web_server import serving

PREVIEW = "/v1/sources/preview"
SITEMAP = "<urlset>{}</urlset>"


async def test_the_first_pages_and_nothing_stored(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, site(chain(40)) as server:
        locs = "".join(f"<url><loc>{server.url}/p{n}</loc></url>" for n in range(1, 31))
        server.answers["/sitemap.xml"] = answer(SITEMAP.format(locs).encode(), content_type="application/xml")
        before = (await served.call("GET", "/v1/sources")).json()
        answered = await served.call("POST", PREVIEW, json={"url": server.url})
        assert answered.status_code == 200, answered.text
        seen = answered.json()
        assert seen["start"] == server.url + "/" and seen["robots"] == "allowed"
        assert (seen["in_sitemaps"], seen["found"] >= 31, len(seen["pages"])) == (30, True, 5)
        assert seen["pages"][0] == {
            "url": server.url + "/",
            "title": "Page 0",
            "status": "indexed",
            "reason": None,
            "passages": 1,
        }
        assert seen["problem"] is None and seen["cut_short"] is False
        assert len(requested(server)) <= 8
        assert (await served.call("GET", "/v1/sources")).json() == before
        assert (await served.call("GET", "/v1/usage")).json()["data"] == []


async def test_what_keeps_a_site_from_being_crawled(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, site({"/": html("Words.")}) as server:

        async def problem(**fields: object) -> tuple[str, str]:
            seen = (await served.call("POST", PREVIEW, json={"url": server.url, **fields})).json()
            return seen["robots"], seen["problem"]

        server.answers["/robots.txt"] = answer(b"User-agent: *\nDisallow: /", content_type="text/plain")
        assert await problem() == ("disallowed", "Its robots.txt forbids them: allow FlowChatBot there.")
        server.answers["/robots.txt"] = answer(status="500 Oops")
        robots, text = await problem()
        assert robots == "unreachable" and "robots.txt could not be had" in text
        server.answers["/robots.txt"] = answer(status="404 Not Found")
        server.answers["/"] = redirect("https://elsewhere.example/")
        assert (await problem())[1] != ""
        server.answers["/"] = answer(status="404 Not Found")
        assert await problem() == ("allowed", "Check the address.")
        robots, text = await problem(sitemap=server.url + "/none.xml")
        assert "none.xml could not be fetched" in text


async def test_private_addresses_stay_private(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        seen = (await served.call("POST", PREVIEW, json={"url": "http://10.0.0.1/"})).json()
        assert "FLOWCHAT_ALLOW_PRIVATE_HOSTS" in seen["problem"] and seen["pages"][0]["reason"] == "address_not_public"


async def test_what_is_wrong_with_the_request(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert (await served.call("POST", PREVIEW, json={})).json()["code"] == "no_url"
        wrong = await served.call("POST", PREVIEW, json={"url": "nowhere"})
        assert (wrong.status_code, wrong.json()["param"]) == (400, "url")
        assert (await refused_to_others(served, "POST", PREVIEW, json={"url": "http://10.0.0.1/"}))[1] == 403
