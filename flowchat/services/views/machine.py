"""What belongs to the machine."""

from dataclasses import dataclass
from typing import Literal, Self

from flowchat.engines.registry import Role
from flowchat.services.models import ModelState
from flowchat.services.pulls import Pull
from flowchat.settings import SettingRow


@dataclass(frozen=True, slots=True, kw_only=True)
class PullView:
    """How far the fetching of a model is. `bytes_total` is what is fetched: a wheel that carries it may be larger.

    One that is `interrupted` ended when FlowChat stopped; pulled again it goes on from `bytes_done`.
    """

    status: Literal["running", "failed", "interrupted"]
    bytes_done: int
    bytes_total: int
    error: str | None

    @classmethod
    def of(cls, pull: Pull) -> Self:
        return cls(status=pull.status, bytes_done=pull.bytes_done, bytes_total=pull.bytes_total, error=pull.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """A model that FlowChat knows. `used`: the settings name it. `pull`: it is fetched, or that ended too early."""

    name: str
    role: Role
    bytes: int
    licence: str
    installed: bool
    used: bool
    pull: PullView | None = None

    @classmethod
    def of(cls, state: ModelState) -> Self:
        return cls(
            name=state.spec.name,
            role=state.spec.role,
            bytes=state.spec.bytes,
            licence=state.spec.licence,
            installed=state.is_installed,
            used=state.is_used,
            pull=PullView.of(state.pull) if state.pull else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingView:
    """A setting: an environment variable of the appliance. A secret's value is 'set' or empty."""

    variable: str
    value: str
    default: str
    help: str
    secret: bool

    @classmethod
    def of(cls, row: SettingRow) -> Self:
        return cls(variable=row.variable, value=row.value, default=row.default, help=row.help, secret=row.secret)
