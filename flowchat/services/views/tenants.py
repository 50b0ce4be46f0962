"""Tenants."""

from dataclasses import dataclass, fields
from typing import Self

from flowchat.domain import Tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantView:
    """A customer or a team, isolated from all others."""

    id: str
    slug: str
    name: str
    retention_days: int
    created_at: str
    closed_at: str | None

    @classmethod
    def of(cls, tenant: Tenant) -> Self:
        return cls(**{field.name: getattr(tenant, field.name) for field in fields(TenantView)})


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedTenantView(TenantView):
    """A new tenant with its first admin key, shown only this once."""

    key: str

    @classmethod
    def of(cls, created: tuple[Tenant, str]) -> Self:  # type: ignore[override]
        tenant, key = created
        return cls(**{field.name: getattr(tenant, field.name) for field in fields(TenantView)}, key=key)
