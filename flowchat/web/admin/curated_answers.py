"""Curated answers: list, write, change, delete."""

from urllib.parse import urlencode

from quart import Response, request

from flowchat.domain import CuratedAnswer
from flowchat.services import curated_answers
from flowchat.services.curated_answers import CuratedAnswerChange, NewCuratedAnswer
from flowchat.services.lists import ListRequest
from flowchat.web.admin import shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.forms import Form
from flowchat.web.admin.source_names import source_names, titles
from flowchat.web.current import appliance

LIST = "/admin/curated-answers"
_NULLABLE = ("url", "source")


@blueprint.get("/curated-answers")
@performs("curated_answers.list")
async def curated_answers_list() -> Response:
    app, actor, asked = appliance(), shell.actor(), shell.query(ListRequest)
    listed = await curated_answers.list_page(app, actor, asked)
    return await shell.render(
        "admin/curated_answers/list.html",
        curated=listed.items,
        sources=titles(await source_names()),
        paging=shell.paging(listed, asked),
    )


@blueprint.get("/curated-answers/new")
@performs("curated_answers.create")
async def curated_answers_new() -> Response:
    """`question` and `source` in its address fill the form: links from unanswered questions have them."""
    return await _new(Form({name: request.args.get(name, "") for name in ("question", "source")}))


async def _new(form: Form, status: int = 200) -> Response:
    return await shell.render("admin/curated_answers/new.html", status, form=form, sources=titles(await source_names()))


@blueprint.post("/curated-answers")
@performs("curated_answers.create")
async def curated_answers_create() -> Response:
    """With `then=ask` in its address the question is asked again at once."""
    form = await Form.entered()
    with form:
        curated = await curated_answers.create(
            appliance(), shell.actor(), form.to(NewCuratedAnswer, nullable=_NULLABLE)
        )
        to = _asking(curated) if request.args.get("then") == "ask" else LIST
        return await shell.done("It is answered from now on.", to)
    return await _new(form, 422)


def _asking(curated: CuratedAnswer) -> str:
    """Where it is asked as visitors can who get this answer."""
    asked = {"query": curated.question} | ({"source": curated.source_id} if curated.source_id else {})
    return f"/admin/playground?{urlencode(asked)}"


@blueprint.get("/curated-answers/<curated_answer>")
@performs("curated_answers.get")
async def curated_answers_edit(curated_answer: str) -> Response:
    shown = await curated_answers.get(appliance(), shell.actor(), curated_answer)
    values = {"question": shown.question, "answer": shown.answer, "url": shown.url, "source": shown.source_id}
    return await _edit(shown, Form(values))


async def _edit(shown: CuratedAnswer, form: Form, status: int = 200) -> Response:
    named = titles(await source_names())
    return await shell.render("admin/curated_answers/edit.html", status, curated=shown, form=form, sources=named)


@blueprint.post("/curated-answers/<curated_answer>")
@performs("curated_answers.update", "curated_answers.get")
async def curated_answers_update(curated_answer: str) -> Response:
    app, actor, form = appliance(), shell.actor(), await Form.entered()
    with form:
        change = form.to(CuratedAnswerChange, nullable=_NULLABLE)
        await curated_answers.update(app, actor, curated_answer, change)
        return await shell.done("The curated answer is changed.", LIST)
    return await _edit(await curated_answers.get(app, actor, curated_answer), form, 422)


@blueprint.post("/curated-answers/<curated_answer>/delete")
@performs("curated_answers.delete")
async def curated_answers_delete(curated_answer: str) -> Response:
    deleting = curated_answers.delete(appliance(), shell.actor(), curated_answer)
    return await shell.act(deleting, to=LIST, text="The curated answer is deleted.")
