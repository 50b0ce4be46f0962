"""Questions that nobody answered: what to write about next."""

from quart import Response

from flowchat.services import questions
from flowchat.services.lists import Listed
from flowchat.services.questions import UnansweredRequest
from flowchat.services.views.conversations import QuestionGroupView
from flowchat.web.admin import shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.current import appliance


@blueprint.get("/questions")
@performs("questions.unanswered")
async def questions_list() -> Response:
    asked = shell.query(UnansweredRequest)
    listed = await questions.list_unanswered(appliance(), shell.actor(), asked)
    groups = Listed([QuestionGroupView.of(group) for group in listed.items], listed.has_more)
    return await shell.render("admin/questions/list.html", groups=groups.items, paging=shell.paging(groups, asked))
