"""Unanswered questions and curated answers in the admin."""

from pathlib import Path

import pytest
from conversing import answered, source_of, with_pipeline
from signing_in import Me, signed_in
from web_server import Served, serving

LIST = "/admin/curated-answers"
VOLCANO = "Which volcano erupted yesterday?"
FIELDS = {"question": "Do you ship abroad?", "answer": "We do.\n\nIt takes 5 days.", "url": "", "source": ""}
XSS = "<svg onload=alert(1)>"
ESCAPED = "&lt;svg onload=alert(1)&gt;"


async def the_one(served: Served) -> dict[str, str | None]:
    row = await served.app.db.row("select * from curated_answers")
    assert row
    return dict(row)


async def made(served: Served, me: Me, **fields: str) -> str:
    """The path of a new one."""
    answer = await me.post(LIST, **{**FIELDS, **fields})
    assert (answer.status_code, answer.headers["Location"]) == (303, LIST), answer.text
    return f"{LIST}/{(await the_one(served))['id']}"


async def test_written_changed_and_deleted(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "editor") as me:
        assert "No curated answers yet" in (await me.get(LIST)).text
        shop = await source_of(served, "shop")
        path = await made(served, me, url="https://shop.example/abroad", source=shop.id)
        page = (await me.get(LIST)).text
        assert "It is answered from now on." in page and FIELDS["question"] in page and ">shop<" in page
        form = (await me.get(path)).text
        assert "It takes 5 days.</textarea>" in form and 'value="https://shop.example/abroad"' in form
        assert f'<option value="{shop.id}" selected' in form
        changed = await me.post(path, **{**FIELDS, "answer": "We don't."})
        assert (changed.status_code, changed.headers["Location"]) == (303, LIST)
        row = await the_one(served)
        assert (row["answer"], row["url"], row["source_id"]) == ("We don't.", None, None)
        assert (await me.post(f"{path}/delete")).headers["Location"] == LIST
        assert (await me.get(path)).status_code == 404


async def test_what_is_wrong_stands_at_its_field(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        path = await made(served, me)
        for to in (LIST, f"{LIST}?then=ask", path):
            for field, value in (("question", " "), ("answer", ""), ("url", "javascript:alert(1)")):
                wrong = await me.post(to, **{**FIELDS, "question": XSS, field: value})
                assert wrong.status_code == 422 and f'id="{field}-error"' in wrong.text, field
                assert "It takes 5 days.</textarea>" in wrong.text or field == "answer"
                assert XSS not in wrong.text
        row = await the_one(served)
        assert row["question"] == FIELDS["question"]


@pytest.mark.parametrize("path", ["", "/{id}", "/{id}/delete"])
async def test_a_viewer_changes_nothing(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as served, signed_in(served, "viewer") as me, signed_in(served) as boss:
        there = await made(served, boss)
        before = await the_one(served)
        shown = (await me.get(there)).text
        assert "We do." in shown and "<textarea" not in shown and "Delete" not in shown
        assert "New curated answer" not in (await me.get(LIST)).text
        refused = await me.post(LIST + path.format(id=before["id"]), **{**FIELDS, "answer": "x"})
        assert refused.status_code == 403
        assert await the_one(served) == before


async def test_missing_and_invalid(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        assert (await me.get(f"{LIST}/cur_none")).status_code == 404
        assert (await me.post(f"{LIST}/cur_none", **FIELDS)).status_code == 404
        assert (await me.post(f"{LIST}/cur_none/delete")).status_code == 404
        assert (await me.get(f"{LIST}?limit=x")).status_code == 400
        assert (await me.get("/admin/questions?limit=x")).status_code == 400


async def test_an_unanswered_question_is_answered(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me, signed_in(served, "viewer") as viewer:
        assert "Nothing is unanswered" in (await me.get("/admin/questions")).text
        await with_pipeline(served)
        refused = await answered(served, VOLCANO)
        await answered(served, VOLCANO)
        page = (await me.get("/admin/questions")).text
        shop = await source_of(served, "shop")
        link = f"/admin/curated-answers/new?question=Which+volcano+erupted+yesterday%3F&amp;source={shop.id}"
        assert VOLCANO in page and "asked 2 times" in page and link in page
        assert f"/admin/conversations/{refused['conversation_id']}#{refused['message_id']}" in page
        assert link not in (await viewer.get("/admin/questions")).text
        assert f"{VOLCANO}</textarea>" in (form := (await me.get(link.replace("&amp;", "&"))).text)
        assert f'<option value="{shop.id}" selected' in form, "the key of this visitor asks only this source"
        fields = {**FIELDS, "question": VOLCANO, "answer": "None did.", "source": shop.id}
        saved = await me.post(f"{LIST}?then=ask", **fields)
        asking = f"/admin/playground?query=Which+volcano+erupted+yesterday%3F&source={shop.id}"
        assert saved.headers["Location"] == asking
        assert "Nothing is unanswered" in (await me.get("/admin/questions")).text
        assert (await answered(served, VOLCANO))["answer"] == "None did."


async def test_markup_is_shown_as_text(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me, signed_in(served, "viewer") as viewer:
        await with_pipeline(served)
        await answered(served, f"{VOLCANO} {XSS}")
        path = await made(served, me, question=f"{XSS}?", answer=XSS)
        pages = [await me.get(place) for place in ("/admin/questions", LIST, path)] + [await viewer.get(path)]
        pages.append(await me.get(f"{LIST}/new", params={"question": XSS}))
        for page in pages:
            assert page.status_code == 200 and ESCAPED in page.text and XSS not in page.text, page.url
