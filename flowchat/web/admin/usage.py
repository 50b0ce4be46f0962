"""Usage: what was asked, crawled and billed in a period, as a chart, by key and by source, and as CSV."""

import csv
import io
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, timedelta
from typing import Annotated, Literal, TypeVar

import msgspec
from quart import Response

from flowchat.domain import UsageGroup, now
from flowchat.errors import FlowChatError
from flowchat.services import billing, keys, sources, usage
from flowchat.services.fields import Date
from flowchat.services.lists import MAX_LIMIT, Listed, ListRequest
from flowchat.services.usage import UsageRequest
from flowchat.services.views.usage import UsageView
from flowchat.web.admin import shell, usage_figures
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.forms import Form
from flowchat.web.admin.usage_figures import Measure, Sums
from flowchat.web.current import appliance

MOST_DAYS = 366
_NOBODY: dict[UsageGroup, str] = {"source": "several sources at once, or none", "key": "without a key: crawls"}
T = TypeVar("T")


class PeriodRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The last `days`, unless a first and a last one (YYYY-MM-DD, UTC) are given."""

    days: Annotated[int, msgspec.Meta(ge=1, le=MOST_DAYS)] = 30
    first: Date = msgspec.field(default="", name="from")
    last: Date = msgspec.field(default="", name="to")
    show: Measure = "questions"
    by: Literal["", "source", "key"] = ""


@blueprint.get("/usage")
@performs("usage.list", "keys.list", "sources.list", "billing.get")
async def usage_list() -> Response:
    asked, own = shell.query(PeriodRequest), await billing.get(appliance(), shell.actor())
    form = Form({"from": asked.first, "to": asked.last})
    with form:
        first, last = _period(asked)
        days = await _read(first, last)
        groups = {by: await _groups(first, last, by) for by in _NOBODY}
        source_names = {source.id: source.name for source in await _all(sources.list_page)}
        key_names = {key.id: key.name or f"{key.prefix}…{key.last_four}" for key in await _all(keys.list_page)}
        if asked.by:
            named = _named(groups[asked.by], asked.by, source_names | key_names)
            chart = usage_figures.chart_of_groups(named, first, last, asked.show)
        else:
            chart = usage_figures.chart(days, first, last, asked.show)
        return await shell.render(
            "admin/usage/list.html",
            asked=asked,
            billing=own,
            form=Form({"from": first.isoformat(), "to": last.isoformat()}),
            days=days,
            total=usage_figures.total(days),
            titles=usage_figures.TITLES,
            chart=chart,
            by_source=_sums(groups["source"]),
            by_key=_sums(groups["key"]),
            nobody=_NOBODY,
            source_names=source_names,
            key_names=key_names,
        )
    return await shell.render("admin/usage/list.html", 422, asked=asked, billing=own, form=form, days=[])


@blueprint.get("/usage.csv")
@performs("usage.list")
async def usage_csv() -> Response:
    asked = shell.query(PeriodRequest)
    first, last = _period(asked)
    rows = await _read(first, last, asked.by or None)
    name = f"usage-{first}-{last}{f'-by-{asked.by}' if asked.by else ''}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(_csv(rows, asked.by), content_type="text/csv; charset=utf-8", headers=headers)


def _period(asked: PeriodRequest) -> tuple[date, date]:
    """Its first and its last day. Raises FlowChatError `bad_period`."""
    try:
        last = date.fromisoformat(asked.last or now()[:10])
        first = date.fromisoformat(asked.first) if asked.first else last - timedelta(days=asked.days - 1)
    except (ValueError, OverflowError):
        raise FlowChatError("bad_period", "There is no such day in the calendar.", param="from") from None
    if first > last:
        raise FlowChatError("bad_period", "The first day comes after the last one. Exchange them.", param="from")
    if (last - first).days >= MOST_DAYS:
        raise FlowChatError("bad_period", f"Choose a period of at most {MOST_DAYS} days.", param="from")
    return first, last


async def _read(first: date, last: date, group_by: UsageGroup | None = None) -> list[UsageView]:
    """The rows of all pages, newest first."""
    rows: list[UsageView] = []
    has_more, cursor = True, ""
    while has_more:
        asked = UsageRequest(
            limit=MAX_LIMIT, starting_after=cursor, first=first.isoformat(), last=last.isoformat(), group_by=group_by
        )
        page = await usage.list_page(appliance(), shell.actor(), asked)
        rows += [UsageView.of(day) for day in page.items]
        has_more, cursor = page.has_more, rows[-1].date if rows else ""
    return rows


async def _groups(first: date, last: date, group_by: UsageGroup) -> dict[str, list[UsageView]]:
    """The days of each source or key by its id; '' for what was done without one."""
    groups: dict[str, list[UsageView]] = {}
    for row in await _read(first, last, group_by):
        groups.setdefault((row.source if group_by == "source" else row.key) or "", []).append(row)
    return groups


def _named(
    groups: Mapping[str, list[UsageView]], group_by: UsageGroup, names: Mapping[str, str]
) -> list[tuple[str, list[UsageView]]]:
    return [(names.get(ident, ident) if ident else _NOBODY[group_by], rows) for ident, rows in groups.items()]


def _sums(groups: Mapping[str, list[UsageView]]) -> list[tuple[str, Sums]]:
    """(id, sums) of each source or key, most questions first."""
    sums = [(ident, usage_figures.total(rows)) for ident, rows in groups.items()]
    return sorted(sums, key=lambda pair: (-pair[1].queries, -pair[1].pages_crawled, pair[0]))


async def _all(list_page: Callable[..., Awaitable[Listed[T]]]) -> list[T]:
    """The items of all pages of a list."""
    items: list[T] = []
    has_more, cursor = True, ""
    while has_more:
        page = await list_page(appliance(), shell.actor(), ListRequest(limit=MAX_LIMIT, starting_after=cursor))
        items += page.items
        has_more, cursor = page.has_more, getattr(items[-1], "id", "") if items else ""
    return items


def _csv(rows: list[UsageView], group: str) -> str:
    columns = ["queries", "refusals", "tokens_in", "tokens_out", "pages_crawled", "chunks_embedded"]
    text = io.StringIO()
    writer = csv.writer(text)
    billed = ["billable_queries", "billable_pages", "cost", "currency", "final"]
    writer.writerow(["date", *([group] if group else []), *columns, *billed])
    for row in rows:
        who = [getattr(row, group) or ""] if group else []
        billable = [row.billable.queries, row.billable.pages, row.cost.amount, row.cost.currency]
        counts = [getattr(row, column) for column in columns]
        writer.writerow([row.date, *who, *counts, *billable, str(row.final).lower()])
    return text.getvalue()
