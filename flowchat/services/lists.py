"""Pages of long lists, newest first."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

import msgspec

from flowchat.services.fields import CURSOR_PATTERN
from flowchat.store.paging import Cursor

T = TypeVar("T")
DEFAULT_LIMIT = 20
MAX_LIMIT = 100

CursorId = Annotated[str, msgspec.Meta(max_length=64, pattern=CURSOR_PATTERN)]


class ListRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which page of a list is wanted; with both cursors, what lies between the two.

    Lists with filters add them in a class of their own.
    """

    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_LIMIT, description="Items of one page.")] = DEFAULT_LIMIT
    starting_after: Annotated[CursorId, msgspec.Meta(description="The id of the last item of the page before.")] = ""
    ending_before: Annotated[CursorId, msgspec.Meta(description="The id of the first item of the page after.")] = ""


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """One page, and whether there is more in the direction of its cursor."""

    items: list[T]
    has_more: bool


async def read_page(request: ListRequest, fetch: Callable[[Cursor], Awaitable[list[T]]]) -> Listed[T]:
    """The page that `fetch` finds."""
    cursor = Cursor(request.limit + 1, request.starting_after, request.ending_before)
    items = await fetch(cursor)
    if len(items) <= request.limit:
        return Listed(items, False)
    return Listed(items[1:] if cursor.is_backwards else items[: request.limit], True)
