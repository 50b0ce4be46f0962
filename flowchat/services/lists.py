"""Pages of long lists, newest first."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from flowchat.errors import FlowChatError

T = TypeVar("T")
DEFAULT_LIMIT = 20
MAX_LIMIT = 100


async def read_page(
    fetch: Callable[[int], Awaitable[list[T]]], limit: int, starting_after: str, ending_before: str
) -> tuple[list[T], bool]:
    """`fetch(n)` up to n items -> (at most `limit` of them, whether there are more in that direction).

    Raises FlowChatError for a limit outside 1-100, and for two cursors at once.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise FlowChatError("bad_limit", f"limit must be from 1 to {MAX_LIMIT}, not {limit}.", param="limit")
    if starting_after and ending_before:
        raise FlowChatError(
            "bad_cursor", "Give starting_after or ending_before, not both of them.", param="ending_before"
        )
    items = await fetch(limit + 1)
    if len(items) <= limit:
        return items, False
    return (items[1:] if ending_before else items[:limit]), True
