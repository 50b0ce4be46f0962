"""What belongs to the machine."""

from dataclasses import dataclass
from typing import Self

from flowchat.engines.registry import Role
from flowchat.services.models import ModelState
from flowchat.settings import SettingRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """A model that FlowChat knows. `used`: the settings name it."""

    name: str
    role: Role
    bytes: int
    licence: str
    installed: bool
    used: bool

    @classmethod
    def of(cls, state: ModelState) -> Self:
        return cls(
            name=state.spec.name,
            role=state.spec.role,
            bytes=state.spec.bytes,
            licence=state.spec.licence,
            installed=state.is_installed,
            used=state.is_used,
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
