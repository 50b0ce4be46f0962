"""Users and the audit log."""

from dataclasses import dataclass, fields
from typing import Annotated, Any, Self

from msgspec import Meta

from flowchat.domain import AuditEntry, Role, User
from flowchat.services.users import Invitation


@dataclass(frozen=True, slots=True, kw_only=True)
class UserView:
    """Somebody who may use the tenant."""

    id: str
    email: str
    name: str
    role: Role
    operator: bool
    has_password: bool
    second_factor: Annotated[bool | None, Meta(description="null: told only to owners, operators and themselves.")]
    signed_in_at: Annotated[str | None, Meta(description="null: never, or not told either.")]
    created_at: str

    @classmethod
    def of(cls, user: User) -> Self:
        return cls(**{field.name: getattr(user, field.name) for field in fields(cls)})


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationView:
    """A link by which a user chooses a password, shown only this once. It works once, until `expires_at`."""

    url: str
    expires_at: str

    @classmethod
    def of(cls, invitation: Invitation) -> Self:
        return cls(url=invitation.url, expires_at=invitation.expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntryView:
    """One deed: who did what to which thing, when, and from which address. `detail` depends on the operation."""

    id: str
    actor: str
    operation: str
    target: str
    detail: dict[str, Any]
    address: str
    created_at: str

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        return cls(**{field.name: getattr(entry, field.name) for field in fields(cls)})
