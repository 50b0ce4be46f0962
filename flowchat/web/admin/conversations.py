"""Conversations: the inbox, what each answer was made from, feedback, erasing."""

from quart import Response, request

from flowchat.services import conversations, feedback, keys
from flowchat.services.conversations import ConversationList, VisitorErasure, WholeConversation
from flowchat.services.feedback import FeedbackList
from flowchat.services.lists import ListRequest
from flowchat.services.views.conversations import MessageView
from flowchat.web.admin import shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.forms import Form
from flowchat.web.admin.shell import Paging
from flowchat.web.admin.source_names import source_names, titles
from flowchat.web.current import appliance

LIST = "/admin/conversations"


@blueprint.get("/conversations")
@performs("conversations.list")
async def conversations_list() -> Response:
    app, actor, asked = appliance(), shell.actor(), shell.query(ConversationList)
    listed = await conversations.list_page(app, actor, asked)
    own_keys = await keys.list_all(app, actor)
    return await shell.render(
        "admin/conversations/list.html",
        conversations=listed.items,
        filters=Form(request.args),
        is_filtered=any(name in request.args for name in ConversationList.__struct_encode_fields__),
        visitor_id=asked.visitor_id,
        sources=titles(await source_names()),
        keys={key.id: key.name or f"{key.prefix}…{key.last_four}" for key in own_keys if key.type == "widget"},
        paging=shell.paging(listed, asked),
    )


@blueprint.get("/conversations/feedback")
@performs("feedback.list")
async def feedback_list() -> Response:
    asked = shell.query(FeedbackList)
    listed = await feedback.list_page(appliance(), shell.actor(), asked)
    return await shell.render(
        "admin/conversations/feedback.html",
        ratings=listed.items,
        filters=Form(request.args),
        paging=shell.paging(listed, asked),
    )


@blueprint.get("/conversations/<conversation>")
@performs("conversations.get")
async def conversations_show(conversation: str) -> Response:
    whole = await conversations.get(appliance(), shell.actor(), conversation)
    return await _show(whole)


@blueprint.get("/conversations/<conversation>/messages")
@performs("conversations.get", "messages.list")
async def messages_list(conversation: str) -> Response:
    """All messages of a long conversation, page by page, newest first."""
    app, actor, asked = appliance(), shell.actor(), shell.query(ListRequest)
    listed = await conversations.list_messages(app, actor, conversation, asked)
    whole = await conversations.get(app, actor, conversation)
    return await _show(WholeConversation(whole.conversation, listed.items), shell.paging(listed, asked))


async def _show(whole: WholeConversation, paging: Paging | None = None) -> Response:
    named = {key.id: key for key in await keys.list_all(appliance(), shell.actor())}
    return await shell.render(
        "admin/conversations/show.html",
        conversation=whole.conversation,
        messages=[MessageView.of(message) for message in whole.messages],
        key=named.get(whole.conversation.key_id),
        paging=paging,
    )


@blueprint.post("/conversations/<conversation>/delete")
@performs("conversations.delete")
async def conversations_delete(conversation: str) -> Response:
    deleting = conversations.delete(appliance(), shell.actor(), conversation)
    return await shell.act(deleting, to=LIST, text="The conversation is erased.")


@blueprint.post("/conversations/erase")
@performs("conversations.erase")
async def conversations_erase() -> Response:
    form = await Form.entered()
    with form:
        erased = await conversations.erase(appliance(), shell.actor(), form.to(VisitorErasure))
        what = f"{erased.conversations} conversations with {erased.messages} questions are erased."
        return await shell.done(what if erased.conversations else "That visitor has asked nothing.", LIST)
    return await shell.done(form.message, LIST, "bad")
