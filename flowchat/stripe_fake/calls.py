"""One call of the API: its method, its path, its parameters and what answers it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from flowchat.stripe_fake.fields import Fields
from flowchat.stripe_fake.state import Json, State

Handler: TypeAlias = Callable[[State, Json], Json]  # of its parameters, those of the path among them


@dataclass(frozen=True, slots=True)
class Call:
    """`path` as Quart writes it: /v1/products/<id>."""

    method: str
    path: str
    handler: Handler
    fields: Fields

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


def retrieving(kind: str) -> Handler:
    """Answers with the object that the path names."""

    def retrieve(state: State, params: Json) -> Json:
        return state.get(kind, params["id"])

    return retrieve


def given(params: Json, *names: str) -> dict[str, Any]:
    return {name: params[name] for name in names if name in params}
