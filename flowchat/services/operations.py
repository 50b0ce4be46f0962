"""The operations of FlowChat by name. The REST API and the admin UI both render these, and nothing else."""

import functools
import inspect
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Concatenate, Literal, ParamSpec, TypeAlias, TypeVar, cast

from flowchat.domain import Actor
from flowchat.services import standing
from flowchat.services.access import require
from flowchat.services.context import Context

App = TypeVar("App", bound=Context)
P = ParamSpec("P")
T = TypeVar("T")
Work: TypeAlias = Callable[P, Coroutine[Any, Any, T]]
Scope = Literal["read", "write", "billing", "operator"]
Caller = Literal["actor", "visitor", "anyone"]


_SENTENCE_END = re.compile(r"(?<=[.:])\s+(?=[A-Z])")
_CODE = re.compile(r"`(\w+)`")


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be done. `function(app, caller, *ids, request)` does it.

    An actor needs one of the `scopes`; a visitor's key needs none, and anyone needs no key at all. What people read
    about it is the function's docstring: its first sentence, all but what it raises, and the error codes it raises.
    Unless it goes on `while_read_only`, a tenant that is read-only is refused.
    """

    name: str
    caller: Caller
    scopes: tuple[Scope, ...]
    function: Callable[..., Coroutine[Any, Any, Any]]
    while_read_only: bool = True

    @property
    def summary(self) -> str:
        return self.description.partition("\n\n")[0].partition(". ")[0].rstrip(".")

    @property
    def description(self) -> str:
        paragraphs = (" ".join(text for text in sentences if not _tells_errors(text)) for sentences in self._sentences)
        return "\n\n".join(filter(None, paragraphs))

    @property
    def error_codes(self) -> list[str]:
        told = [text for sentences in self._sentences for text in sentences if _tells_errors(text)]
        return _CODE.findall(" ".join(told))

    @property
    def _sentences(self) -> list[list[str]]:
        """The sentences of each paragraph."""
        doc = inspect.getdoc(self.function) or ""
        return [_SENTENCE_END.split(" ".join(paragraph.split())) for paragraph in doc.split("\n\n")]


def _tells_errors(sentence: str) -> bool:
    return sentence.startswith("Raises ")


OPERATIONS: dict[str, Operation] = {}


def operation(
    name: str, *scopes: Scope, while_read_only: bool | None = None
) -> Callable[[Work[Concatenate[App, Actor, P], T]], Work[Concatenate[App, Actor, P], T]]:
    """Name a service's function as an operation, which only actors with one of the scopes may ask for.

    The function then raises Forbidden `scope_missing` for others, and FlowChatError `read_only` where the actor's
    tenant is read-only, unless it goes on meanwhile: by default what doesn't take the scope `write`.
    """
    goes_on = "write" not in scopes if while_read_only is None else while_read_only

    def register(function: Work[Concatenate[App, Actor, P], T]) -> Work[Concatenate[App, Actor, P], T]:
        @functools.wraps(function)
        async def authorised(app: App, actor: Actor, *args: P.args, **kwargs: P.kwargs) -> T:
            require(actor, *scopes)
            if not goes_on:
                await standing.require_good(app, actor)
            return await function(app, actor, *args, **kwargs)

        _add(Operation(name, "actor", scopes, authorised, goes_on))
        return cast("Work[Concatenate[App, Actor, P], T]", authorised)

    return register


def visitor_operation(name: str, *, while_read_only: bool = True) -> Callable[[Work[P, T]], Work[P, T]]:
    """Name a service's function that visitors call with a widget key: no scope, and no place in the admin UI.

    One that doesn't go on `while_read_only` asks `standing.require_answering` itself.
    """

    def register(function: Work[P, T]) -> Work[P, T]:
        _add(Operation(name, "visitor", (), function, while_read_only))
        return function

    return register


def anyone_operation(name: str) -> Callable[[Work[P, T]], Work[P, T]]:
    """Name a service's function that takes no credential: it has a public page, and no place in the admin UI."""

    def register(function: Work[P, T]) -> Work[P, T]:
        _add(Operation(name, "anyone", (), function))
        return function

    return register


def _add(operation: Operation) -> None:
    if operation.name in OPERATIONS:
        raise ValueError(f"There are two operations {operation.name}")
    OPERATIONS[operation.name] = operation
