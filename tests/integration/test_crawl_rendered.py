"""A crawl of a site whose pages are made by scripts."""

from pathlib import Path

import pytest
from appliance import operator, running
from crawling import crawled, site
from loopback import answer

from flowchat.services import pages

SCRIPT = b"""
document.getElementById('root').innerHTML =
  '<main><h1>Made by a script</h1><p>The returns policy is thirty days long.</p><a href="/more">More</a></main>'
"""
SHELL = b"""<html lang="en"><head><title>App</title></head>
<body><div id="root"></div><script src="/app.js"></script></body></html>"""


@pytest.mark.browser
async def test_pages_made_by_scripts_are_rendered_where_a_chromium_is(tmp_path: Path) -> None:
    async with running(tmp_path, renderer="chromium") as app, site({}) as server:
        server.answers = {
            "/": answer(SHELL, content_type="text/html"),
            "/more": answer(b"<main><h1>More</h1><p>A page without scripts.</p></main>", content_type="text/html"),
            "/app.js": answer(SCRIPT, content_type="text/javascript"),
        }
        job = await crawled(app, server)
        assert (job.status, job.progress.indexed) == ("succeeded", 2)
        listed = await pages.list_page(app, await operator(app), job.source_id or "", pages.PagesRequest())
        assert [page.title for page in listed.items] == ["App", "More"]
