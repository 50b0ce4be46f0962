"""Tenants."""

from dataclasses import dataclass
from typing import Any, Self

from flowchat.billing import Subscriber
from flowchat.services.moving import Imported
from flowchat.services.views.plans import StandingView, SubscriptionView

_SAME = ("id", "slug", "name", "retention_days", "created_at", "closed_at", "moved_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantView:
    """A customer or a team, isolated from all others. `plan` is a slug; null: no plan, no quota, nothing billed.

    One with `moved_at` was exported to go on at another machine: here it is read-only, and nothing of it is sent.
    """

    id: str
    slug: str
    name: str
    retention_days: int
    plan: str | None
    subscription: SubscriptionView | None
    standing: StandingView
    created_at: str
    closed_at: str | None
    moved_at: str | None

    @classmethod
    def of(cls, tenant: Subscriber) -> Self:
        return cls(**_told(tenant))


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedTenantView(TenantView):
    """A new tenant with its first admin key, shown only this once."""

    key: str

    @classmethod
    def of(cls, created: tuple[Subscriber, str]) -> Self:  # type: ignore[override]
        tenant, key = created
        return cls(**_told(tenant), key=key)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedTenantView(TenantView):
    """A tenant that came from another machine. `rows` by table; `notes` say what is left to do, to people."""

    rows: dict[str, int]
    reindexed: int
    notes: tuple[str, ...]

    @classmethod
    def of(cls, imported: Imported) -> Self:  # type: ignore[override]
        told = _told(imported.tenant)
        return cls(**told, rows=imported.rows, reindexed=imported.reindexed, notes=imported.notes)


def _told(tenant: Subscriber) -> dict[str, Any]:
    told = {name: getattr(tenant, name) for name in _SAME}
    subscription = SubscriptionView.of(tenant.subscription) if tenant.subscription else None
    plan = tenant.plan.slug if tenant.plan else None
    return told | {"plan": plan, "subscription": subscription, "standing": StandingView.of(tenant.standing)}
