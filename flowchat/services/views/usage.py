"""Usage."""

from dataclasses import dataclass
from typing import Self

from msgspec import UNSET, UnsetType

from flowchat.billing import format_money
from flowchat.domain import UsageDay


@dataclass(frozen=True, slots=True)
class Billable:
    """What of a day is billed."""

    queries: int
    pages: int


@dataclass(frozen=True, slots=True)
class Cost:
    """In whole units of the currency, by the prices of the plan when it was used, before what the plan includes."""

    amount: str
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageView:
    """One UTC day. `source` or `key` is there with group_by: its id, null for what was done without one."""

    date: str
    queries: int
    refusals: int
    tokens_in: int
    tokens_out: int
    pages_crawled: int
    chunks_embedded: int
    billable: Billable
    cost: Cost
    final: bool
    source: str | UnsetType | None = UNSET
    key: str | UnsetType | None = UNSET

    @classmethod
    def of(cls, day: UsageDay) -> Self:
        counts = day.counts
        return cls(
            date=day.date,
            queries=counts.queries,
            refusals=counts.refusals,
            tokens_in=counts.tokens_in,
            tokens_out=counts.tokens_out,
            pages_crawled=counts.pages_crawled,
            chunks_embedded=counts.chunks_embedded,
            billable=Billable(counts.billable_queries, counts.billable_pages),
            cost=Cost(format_money(counts.cost_nano), day.currency),
            final=day.is_final,
            source=day.group_id if day.grouped_by == "source" else UNSET,
            key=day.group_id if day.grouped_by == "key" else UNSET,
        )
