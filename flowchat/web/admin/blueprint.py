"""The routes of the admin, and what each of them says about itself."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

from quart import Blueprint, request
from quart.typing import ResponseReturnValue

from flowchat.web.api import finish

Handler: TypeAlias = Callable[..., Awaitable[ResponseReturnValue]]
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

blueprint = Blueprint("admin", __name__, url_prefix="/admin")


def performs(*operations: str) -> Callable[[Handler], Handler]:
    """Names the operations that a page calls. It is for users who are signed in."""

    def mark(handler: Handler) -> Handler:
        return _marked(handler, operations)

    return mark


def own_account(handler: Handler) -> Handler:
    """A page for users who are signed in, about nothing but themselves: no operation, and no call of the API."""
    return _marked(handler, ())


def public(handler: Handler) -> Handler:
    """A page for whoever is about to sign in."""
    return _marked(handler, (), is_public=True)


def operations_of(handler: object) -> tuple[str, ...] | None:
    """What a route's handler performs; None where it says nothing about itself."""
    return cast("tuple[str, ...] | None", getattr(handler, "operations", None))


def is_public(handler: object) -> bool:
    return bool(getattr(handler, "is_public", False))


def _marked(handler: Handler, operations: tuple[str, ...], *, is_public: bool = False) -> Handler:
    @functools.wraps(handler)
    async def handle(**ids: Any) -> ResponseReturnValue:
        if request.method in SAFE_METHODS:
            return await handler(**ids)
        return await finish(_awaited(handler(**ids)))  # what was begun is made whole

    handle.operations = operations  # type: ignore[attr-defined]
    handle.is_public = is_public  # type: ignore[attr-defined]
    return handle


async def _awaited(result: Awaitable[ResponseReturnValue]) -> ResponseReturnValue:
    return await result
