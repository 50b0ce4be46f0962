"""The ledger under random deeds, plans, prices and moments, on a real database file, against a plain model of it."""

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TypeVar

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from subscribing import plan_of

from flowchat import domain
from flowchat.billing import NANO, Plan, Prices, Subscription, month_of
from flowchat.domain import CrawlConfig, JobStatus, Source, UsageCounts, new_id, now
from flowchat.errors import FlowChatError
from flowchat.ingest import page_quota
from flowchat.store import jobs, plans, quotas, sources, subscriptions, tenants, usage, versions
from flowchat.store.database import Connection, connect, run_transaction
from flowchat.store.migrate import migrate

T = TypeVar("T")
COUNTS = ("queries", "refusals", "tokens_in", "tokens_out", "pages_crawled", "billable_queries", "billable_pages")
SUMS = (*COUNTS, "free_pages", "cost_nano")
SPANS = [  # until nearly, just and more than the end of a minute, a day, a month
    timedelta(milliseconds=1),
    timedelta(seconds=59),
    timedelta(seconds=61),
    timedelta(hours=23),
    timedelta(days=1),
    timedelta(days=28),
]
STARTS = ["2026-11-30T23:59:59.990", "2028-02-28T23:58:00.000", "2028-02-29T23:59:59.999", "2027-12-31T12:00:00.000"]
PRICES = st.builds(
    Prices,
    per_1000_queries_nano=st.integers(0, 3 * NANO),
    per_1000_pages_nano=st.sampled_from([0, 1, 999, NANO]),
    per_million_tokens_in_nano=st.integers(0, NANO),
    per_million_tokens_out_nano=st.sampled_from([0, 7, 3 * NANO]),
)
PLANS = st.builds(
    lambda included_queries, included_pages, overage, prices: plan_of(
        new_id("p").replace("_", "-"),
        included_queries=included_queries,
        included_pages=included_pages,
        overage=overage,
        prices=prices,
    ),
    st.integers(0, 6) | st.none(),
    st.integers(0, 12) | st.integers(3, 9) | st.none(),
    st.sampled_from(["stop", "stop", "metered"]),
    PRICES,
)
TOKENS = st.integers(0, 5000)


@cache
def template() -> Path:
    """A migrated database."""
    path = Path(tempfile.mkdtemp()) / "flowchat.db"
    migrate(path)
    return path


@dataclass
class Crawl:
    """`held`: pages that the model says it may still be billed for; None: it was not limited when it began."""

    id: str
    held: int | None
    crawled: int = 0
    billed: int = 0


class Ledger(RuleBasedStateMachine):
    """One tenant. Every rule does a deed as the appliance does it, and writes down what must have come of it."""

    under_way: Bundle[str] = Bundle("under_way")  # answers
    crawls: Bundle[Crawl] = Bundle("crawls")
    may_change = True  # the plan, after the first deed
    has_answers = True

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(template(), self.folder / "flowchat.db")
        self.conn = connect(self.folder / "flowchat.db")
        self.conn.execute("pragma synchronous = off")  # nobody pulls the plug here
        self.clock, self.moment = domain.clock, datetime.now(UTC)
        domain.clock = lambda: self.moment
        self.plan: Plan | None = None
        self.days: dict[str, dict[str, int]] = defaultdict(
            lambda: dict.fromkeys((*COUNTS, "free_pages", "cost_nano"), 0)
        )
        self.final: dict[str, tuple[object, ...]] = {}
        self.answers = 0  # under way
        self.held: dict[str, int] = {}
        self.succeeded: set[str] = set()

    @initialize(start=st.sampled_from(STARTS), plan=PLANS)
    def begin(self, start: str, plan: Plan) -> None:
        self.moment = datetime.fromisoformat(f"{start}+00:00")
        self.tenant_id = self.do(lambda conn: tenants.insert(conn, "acme", "Acme")).id
        self.give(plan)

    def teardown(self) -> None:
        domain.clock = self.clock
        self.conn.close()
        shutil.rmtree(self.folder)

    def do(self, transaction: Callable[[Connection], T]) -> T:
        return run_transaction(self.conn, transaction)

    # What the calendar and the operator do

    @rule(span=st.sampled_from(SPANS))
    def time_goes_by(self, span: timedelta) -> None:
        self.moment += span
        for day in self.days:
            if usage.is_final(day, now()):
                self.final.setdefault(day, self.stored(day))

    @precondition(lambda self: self.may_change)
    @rule(plan=PLANS)
    def give(self, plan: Plan) -> None:
        subscription = Subscription(tenant_id=self.tenant_id, plan_id=plan.id, status="active", started_at=now())
        self.do(lambda conn: plans.insert(conn, plan))
        self.do(lambda conn: subscriptions.put(conn, subscription))
        self.plan = plan

    @precondition(lambda self: self.may_change)
    @rule()
    def take_away(self) -> None:
        self.do(lambda conn: subscriptions.delete(conn, self.tenant_id))
        self.plan = None

    @precondition(lambda self: self.plan is not None)
    @rule(prices=PRICES)
    def change_prices(self, prices: Prices) -> None:
        assert self.plan
        self.plan = plan = replace(self.plan, prices=prices)
        self.do(lambda conn: plans.update(conn, plan))

    # Answers

    @precondition(lambda self: self.has_answers)
    @rule(target=under_way)
    def ask(self) -> str:
        limit = self.plan.hard_limit("queries") if self.plan else None
        is_room = limit is None or self.billed("billable_queries") + self.answers < limit
        begun = self.do(lambda conn: quotas.begin_answer(conn, self.tenant_id, month_of(now()), limit))
        assert begun == is_room
        self.answers += begun
        return "taken in" if begun else "refused"

    @rule(answer=consumes(under_way), outcome=st.sampled_from(["answer", "refusal", "broken"]), tokens=TOKENS)
    def end_answer(self, answer: str, outcome: str, tokens: int) -> None:
        if answer == "refused":
            return
        counts = UsageCounts(
            queries=1,
            refusals=int(outcome == "refusal"),
            tokens_in=tokens,
            tokens_out=tokens // 7,
            billable_queries=int(outcome == "answer"),
        )
        self.record(counts)
        self.do(lambda conn: quotas.end_answer(conn, self.tenant_id))
        self.answers -= 1

    @precondition(lambda self: self.has_answers)
    @rule(tokens=TOKENS)
    def answer_by_a_test_key(self, tokens: int) -> None:
        self.record(UsageCounts(queries=1, tokens_in=tokens, tokens_out=tokens))

    def record(self, counts: UsageCounts) -> None:
        self.do(lambda conn: usage.record(conn, self.tenant_id, counts))
        self.note(counts)

    # Crawls

    @rule(target=crawls, max_pages=st.integers(1, 15), pages=st.integers(0, 9))
    def begin_crawl(self, max_pages: int, pages: int) -> Crawl:
        job_id = self.do(self.new_job)
        limit = self.page_limit(job_id)
        left = None if limit is None else self.pages_left(limit)
        try:
            reserved = self.do(lambda conn: page_quota.reserve(conn, self.job(conn, job_id), max_pages))
        except FlowChatError as error:
            assert (error.code, left) == ("quota_exceeded", 0)
            self.do(lambda conn: jobs.finish(conn, job_id, "failed"))
            return Crawl("", None)
        assert reserved == (None if left is None else min(left, max_pages))
        if reserved is not None:
            self.held[job_id] = reserved
        crawl = Crawl(job_id, reserved)
        if pages:
            self.crawl_pages(crawl, pages)
        return crawl

    def new_job(self, conn: Connection) -> str:
        slug = new_id("s").replace("_", "-")
        source = Source(
            new_id("src"), self.tenant_id, slug, slug, None, "ready", "en", CrawlConfig(), None, 0, 0, None, now()
        )
        sources.insert(conn, source)
        version_id = versions.insert(conn, source.id, "embedder", None, 0)
        job_id = jobs.insert(conn, self.tenant_id, "crawl", source.id, version_id)
        assert jobs.claim(conn, job_id, "worker")
        return job_id

    @rule(crawl=crawls, pages=st.integers(1, 9))
    def crawl_pages(self, crawl: Crawl, pages: int) -> None:
        """More than it has reserved, too: what a crawler does wrong must not be billed."""
        if not crawl.id:
            return
        limit = self.page_limit(crawl.id)
        if self.is_free(crawl.id):
            billable = 0
        elif crawl.held is not None:
            billable = min(pages, crawl.held)
            crawl.held -= billable
            self.held[crawl.id] = crawl.held
        else:
            billable = pages if limit is None else min(pages, self.pages_left(limit))
        self.do(lambda conn: page_quota.bill(conn, self.job(conn, crawl.id), pages, 0))
        crawl.crawled += pages
        crawl.billed += billable
        self.note(UsageCounts(pages_crawled=pages, billable_pages=billable, free_pages=pages - billable))

    @rule(crawl=consumes(crawls), status=st.sampled_from(["succeeded", "succeeded", "failed", "canceled"]))
    def end_crawl(self, crawl: Crawl, status: JobStatus) -> None:
        if not crawl.id:
            return
        self.held.pop(crawl.id, None)
        limit, unbilled = self.page_limit(crawl.id), crawl.crawled - crawl.billed
        later = 0 if self.is_free(crawl.id) else unbilled if limit is None else min(unbilled, self.pages_left(limit))

        def transaction(conn: Connection) -> None:
            job = self.job(conn, crawl.id)
            jobs.finish(conn, crawl.id, status)
            page_quota.settle(conn, job)

        self.do(transaction)
        self.note(UsageCounts(billable_pages=later, free_pages=-later))
        if status == "succeeded":
            self.succeeded.add(crawl.id)

    def job(self, conn: Connection, job_id: str) -> domain.Job:
        job = jobs.find(conn, job_id)
        assert job
        return job

    # The model

    def is_free(self, job_id: str) -> bool:
        return not self.succeeded - {job_id}

    def page_limit(self, job_id: str) -> int | None:
        return self.plan.hard_limit("pages") if self.plan and not self.is_free(job_id) else None

    def pages_left(self, limit: int) -> int:
        return max(0, limit - self.billed("billable_pages") - sum(self.held.values()))

    def billed(self, name: str) -> int:
        """In the present month."""
        return sum(counts[name] for day, counts in self.days.items() if month_of(day) == month_of(now()))

    def note(self, counts: UsageCounts) -> None:
        day = self.days[now()[:10]]
        for name in (*COUNTS, "free_pages"):
            day[name] += getattr(counts, name)
        prices = self.plan.prices if self.plan else Prices()
        parts = [(counts.billable_queries, prices.per_1000_queries_nano, 1000)]
        parts.append((counts.billable_pages, prices.per_1000_pages_nano, 1000))
        if counts.billable_queries:
            parts.append((counts.tokens_in, prices.per_million_tokens_in_nano, 10**6))
            parts.append((counts.tokens_out, prices.per_million_tokens_out_nano, 10**6))
        day["cost_nano"] += sum(round(Fraction(quantity * price, per)) for quantity, price, per in parts)

    def stored(self, day: str, table: str = "usage_days") -> tuple[object, ...]:
        sums = ", ".join(f"coalesce(sum({name}), 0)" for name in SUMS)
        return tuple(self.conn.execute(f"select {sums} from {table} where day = ?", (day,)).fetchone())

    # What always holds

    @invariant()
    def days_and_ledger_are_what_was_done(self) -> None:
        for day, counts in self.days.items():
            assert self.stored(day) == self.stored(day, "usage_ledger") == tuple(counts.values())

    @invariant()
    def months_are_the_sums_of_their_days(self) -> None:
        sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for day, counts in self.days.items():
            sums[month_of(day)][0] += counts["billable_queries"]
            sums[month_of(day)][1] += counts["billable_pages"]
        rows = self.conn.execute("select * from usage_months").fetchall()
        found = {row["month"]: [row["billable_queries"], row["billable_pages"]] for row in rows}
        assert found == {month: billed for month, billed in sums.items() if billed != [0, 0]}

    @invariant()
    def final_days_never_change(self) -> None:
        for day, row in self.final.items():
            assert self.stored(day) == row

    @invariant()
    def pages_are_billed_or_free(self) -> None:
        for row in self.conn.execute(
            "select sum(pages_crawled) as crawled, sum(billable_pages) as billed, sum(free_pages) as free"
            " from usage_ledger where job_id is not null group by job_id"
        ):
            assert row["billed"] + row["free"] == row["crawled"] and min(row["billed"], row["free"]) >= 0

    @invariant()
    def what_is_held_is_known(self) -> None:
        rows = self.conn.execute("select id, reserved_pages from jobs where reserved_pages is not null").fetchall()
        assert {row["id"]: row["reserved_pages"] for row in rows} == self.held

    @invariant()
    def a_hard_stop_that_stays_is_never_overshot(self) -> None:
        if self.may_change or self.plan is None:
            return
        for row in self.conn.execute("select * from usage_months").fetchall():
            for name, limit in (
                ("billable_queries", self.plan.hard_limit("queries")),
                ("billable_pages", self.plan.hard_limit("pages")),
            ):
                assert limit is None or row[name] <= limit


class LedgerOfOnePlan(Ledger):
    """Only its prices change."""

    may_change = False


class LedgerOfCrawls(Ledger):
    """So that many of them meet."""

    has_answers = False


@pytest.mark.parametrize("machine", [Ledger, LedgerOfOnePlan, LedgerOfCrawls])
def test_the_ledger(machine: type[Ledger]) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=60, stateful_step_count=40))
