"""Rendering within the admin's frame, and telling what was done."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar, cast
from urllib.parse import urlencode

import msgspec
from quart import Response, g, make_response, redirect, render_template, request

from flowchat.domain import Actor
from flowchat.errors import FlowChatError
from flowchat.services import validate
from flowchat.services.lists import Listed, ListRequest
from flowchat.web.admin import banners, cookies, guard, navigation

Kind = Literal["good", "bad"]
Query = TypeVar("Query", bound=msgspec.Struct)
_TOLD_AT_THE_PAGE = (400, 402, 409, 410, 413, 415, 422, 429)  # other errors have a page of their own
_MOST_NOTICE_CHARS = 500  # it travels in a cookie, which may have 4 KB


class HasId(Protocol):
    @property
    def id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Notice:
    """What a page says once, after something was done."""

    text: str
    kind: Kind = "good"


@dataclass(frozen=True, slots=True)
class Paging:
    """Where the pages before and after a page of a list are; None: nowhere."""

    newer: str | None
    older: str | None


def actor() -> Actor:
    """Whoever uses the page, as the services want to know it."""
    return guard.signed_in().actor


async def render(template: str, status: int = 200, **values: Any) -> Response:
    """A page, in the frame for users who are signed in or in the one for others."""
    me = g.get("signed_in")
    notice = _take_notice()
    page = await render_template(
        template,
        me=me,
        can=(lambda operation: navigation.can(me.actor, operation)) if me else (lambda operation: False),
        navigation=navigation.shown_to(me.actor) if me else {},
        banners=await banners.shown() if me else [],
        plan_page=banners.PLAN_PAGE,
        held=await banners.held() if me else None,
        csrf_token=guard.csrf_token(),
        nonce=g.nonce,
        notice=notice,
        **values,
    )
    response = Response(page, status, content_type="text/html; charset=utf-8")
    if notice is not None:
        cookies.clear(response, "notice")
    return response


async def done(text: str, to: str, kind: Kind = "good") -> Response:
    """Go to a page that says so once."""
    response = await go(to)
    notice = Notice(text[:_MOST_NOTICE_CHARS], kind)
    cookies.write(response, "notice", msgspec.json.encode(notice).hex(), max_age_s=60)
    return response


async def go(to: str) -> Response:
    """Go to a page, whether the browser or htmx asked."""
    if guard.is_htmx():
        return Response(b"", 204, {"HX-Redirect": to})
    return cast(Response, await make_response(redirect(to, 303)))


async def act(work: Awaitable[Any], *, to: str, text: str) -> Response:
    """Do it, and say so at the page `to`; a refusal is said there, too. Raises FlowChatError for others."""
    try:
        await work
    except FlowChatError as error:
        if error.status not in _TOLD_AT_THE_PAGE:
            raise
        return await done(error.message, to, "bad")
    return await done(text, to)


def query(request_type: type[Query]) -> Query:
    """The page's query as an operation's request; fields that were left empty are absent. Raises FlowChatError."""
    return validate.read_query({name: text for name, text in request.args.items() if text}, request_type)


def paging(listed: Listed[Any], asked: ListRequest) -> Paging:
    """Links that keep the filters. Items must have ids."""
    items: list[HasId] = listed.items
    is_backwards = bool(asked.ending_before) and not asked.starting_after
    has_older = is_backwards or listed.has_more
    has_newer = listed.has_more if is_backwards else bool(asked.starting_after)
    return Paging(
        newer=_page(ending_before=items[0].id) if items and has_newer else _page() if has_newer else None,
        older=_page(starting_after=items[-1].id) if items and has_older else None,
    )


def _page(**cursor: str) -> str:
    kept = {name: text for name, text in request.args.items() if name not in ("starting_after", "ending_before")}
    arguments = urlencode({**kept, **cursor})
    return f"{request.path}?{arguments}" if arguments else request.path


def _take_notice() -> Notice | None:
    try:
        return msgspec.json.decode(bytes.fromhex(cookies.read("notice")), type=Notice)
    except (ValueError, msgspec.MsgspecError):
        return None
