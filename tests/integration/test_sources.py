"""Sources: what is refused, slugs, and pages of lists."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from appliance import operator, running

from flowchat.errors import FlowChatError
from flowchat.services import jobs, sources
from flowchat.services.sources import NewSource
from flowchat.store import jobs as job_store


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"url": "example"}, "url"),
        ({"url": "ftp://example.com/"}, "url"),
        ({"slug": "No Slug"}, "slug"),
        ({"slug": ""}, "slug"),
        ({"max_pages": 0}, "max_pages"),
        ({"max_depth": -1}, "max_depth"),
        ({"locale": "English, please"}, "locale"),
        ({"name": "x" * 300}, "name"),
        ({"include": ("*",) * 101}, "include"),
    ],
)
async def test_a_bad_source_is_refused_with_the_field_at_fault(
    tmp_path: Path, change: dict[str, Any], param: str
) -> None:
    async with running(tmp_path) as app:
        new = replace(NewSource("https://example.com/"), **change)
        with pytest.raises(FlowChatError) as caught:
            await sources.create(app, await operator(app), new)
        assert (caught.value.param, caught.value.status) == (param, 400)
        assert await job_store.waiting(app.db) == []


async def test_slugs(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        actor = await operator(app)
        made = [(await sources.create(app, actor, NewSource("https://www.example.com/#top")))[0] for _ in range(2)]
        assert [(source.slug, source.url) for source in made] == [
            ("example-com", "https://www.example.com/"),
            ("example-com-2", "https://www.example.com/"),
        ]
        with pytest.raises(FlowChatError) as caught:
            await sources.create(app, actor, NewSource("https://example.com/", slug="docs"))
        assert (caught.value.code, caught.value.status) == ("slug_taken", 409)
        assert await sources.by_url(app, actor, "https://www.example.com/") == made[0]


async def test_pages_of_lists(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        actor = await operator(app)
        for name in "abcd":
            await sources.create(app, actor, NewSource("https://example.com/", slug=name))
        found, more = await sources.list_page(app, actor, limit=2)
        assert ([source.slug for source in found], more) == (["d", "c"], True)
        found, more = await sources.list_page(app, actor, 100, starting_after=found[-1].id)
        assert ([source.slug for source in found], more) == (["b", "a", "docs"], False)
        found, more = await sources.list_page(app, actor, 2, ending_before=found[1].id)
        assert ([source.slug for source in found], more) == (["c", "b"], True)
        page, more = await jobs.list_page(app, actor, 3)
        assert ([job.source_id for job in page][1:], more) == ([found[0].id, found[1].id], True)
        for bad in ({"limit": 0}, {"limit": 101}, {"starting_after": "src_1", "ending_before": "src_2"}):
            with pytest.raises(FlowChatError) as caught:
                await sources.list_page(app, actor, **bad)
            assert caught.value.status == 400
