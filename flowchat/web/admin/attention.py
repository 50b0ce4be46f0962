"""What needs somebody's attention."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from flowchat.domain import Actor, Job, Key, Source
from flowchat.services import health, jobs, keys, models, questions, signups, usage, webhooks
from flowchat.services.context import Appliance
from flowchat.services.jobs import JobsRequest
from flowchat.services.lists import MAX_LIMIT, ListRequest
from flowchat.services.questions import UnansweredRequest
from flowchat.services.usage import UsageRequest
from flowchat.web.admin import navigation

NEAR_CAP = 0.8
OPERATIONS = (
    "jobs.list",
    "keys.list",
    "webhooks.list",
    "questions.unanswered",
    "usage.list",
    "models.list",
    "signups.list",
)
_NEWEST_QUESTIONS = 200  # grouping all of them takes too long for each look
_ALL = ListRequest(limit=MAX_LIMIT)


@dataclass(frozen=True, slots=True)
class Item:
    """Something to do; `url` is where."""

    tone: Literal["bad", "warn", "info"]
    title: str
    text: str
    url: str
    action: str


async def items(app: Appliance, actor: Actor, sources: list[Source], newest: Mapping[str, Job]) -> list[Item]:
    """The worst first. `sources` are the tenant's, with the newest job of each."""
    found = [item async for item in _all(app, actor, sources, newest)]
    return sorted(found, key=lambda item: ("bad", "warn", "info").index(item.tone))


async def _all(app: Appliance, actor: Actor, sources: list[Source], newest: Mapping[str, Job]) -> AsyncIterator[Item]:
    for warning in health.of_models(app):
        yield Item("bad", "Answers are worse than they could be", warning, "/docs/models", "Read about models")
    if navigation.can(actor, "models.list"):
        for state in (await models.list_all(app, actor)).items:
            if state.is_used and not state.is_installed:
                text = f"The settings name {state.spec.name}, which is not on this machine."
                yield Item("bad", "A model is missing", text, "/admin/models", "Models")
    for item in await sign_ups(app, actor):
        yield item
    for source in sources:
        for item in _of_source(source, newest.get(source.id)):
            yield item
    for webhook in (await webhooks.list_page(app, actor, _ALL)).items:
        url = f"/admin/webhooks/{webhook.id}"
        if webhook.disabled_at is not None:
            text = webhook.disabled_reason or "It gets no events until you enable it."
            yield Item("bad", f"A webhook is disabled: {webhook.url}", text, url, "Look at it")
        elif webhook.failing_since is not None:
            text = f"It has refused every event since {webhook.failing_since[:10]}."
            yield Item("warn", f"A webhook fails: {webhook.url}", text, url, "See its deliveries")
    for key, text in await _near_caps(app, actor):
        yield Item("warn", f"A key is near its cap: {key.name or key.last_four}", text, f"/admin/keys/{key.id}", "Key")
    asked = await questions.list_unanswered(app, actor, UnansweredRequest(limit=3, newest=_NEWEST_QUESTIONS))
    if asked.items:
        examples = "; ".join(f"“{group.representative.query}”" for group in asked.items)
        title = "Visitors asked what your sources don't say"
        yield Item(
            "info", title, examples + ("; and more" if asked.has_more else ""), "/admin/questions", "Answer them"
        )


async def sign_ups(app: Appliance, actor: Actor) -> list[Item]:
    """What also concerns an operator whose own tenant has no site."""
    if navigation.can(actor, "signups.list") and (waiting := await signups.count_waiting(app)):
        title = "Somebody waits for an account" if waiting == 1 else f"{waiting} people wait for an account"
        text = "No e-mail has reached them: send them the link to confirm their address."
        return [Item("info", title, text, "/admin/signups", "Sign-ups")]
    return []


async def newest_jobs(app: Appliance, actor: Actor) -> dict[str, Job]:
    """The newest job of each source, of the tenant's last 100 jobs."""
    listed = await jobs.list_page(app, actor, JobsRequest(limit=MAX_LIMIT))
    return {job.source_id: job for job in reversed(listed.items) if job.source_id}


def _of_source(source: Source, job: Job | None) -> list[Item]:
    if source.status == "revoked":
        return []
    url = f"/admin/sources/{source.slug}"
    found = [Item("warn", f"{source.name}: a warning", warning.message, url, "Source") for warning in source.warnings]
    if job is not None and job.status == "failed":
        still = "" if source.live_version else " Nothing answers from it."
        tone: Literal["bad", "warn"] = "warn" if source.live_version else "bad"
        found.append(Item(tone, f"{source.name}: the last crawl failed", f"{job.error or ''}{still}", url, "See why"))
    elif job is not None and job.paused_at is not None:
        found.append(Item("info", f"{source.name}: a job is paused", "It waits to be resumed.", url, "Resume it"))
    return found


async def _near_caps(app: Appliance, actor: Actor) -> list[tuple[Key, str]]:
    """Keys that have given most of the answers that they may."""
    capped = [
        key
        for key in (await keys.list_page(app, actor, _ALL)).items
        if key.revoked_at is None and key.billed and (key.caps.daily is not None or key.caps.monthly is not None)
    ]
    if not capped:
        return []
    today = datetime.now(UTC).date().isoformat()
    request = UsageRequest(limit=31, first=f"{today[:7]}-01", group_by="key")
    given = (await usage.list_page(app, actor, request)).items
    found = []
    for key in capped:
        days = {day.date: day.counts.queries - day.counts.refusals for day in given if day.group_id == key.id}
        for span, cap, count in (
            ("today", key.caps.daily, days.get(today, 0)),
            ("this month", key.caps.monthly, sum(days.values())),
        ):
            if cap and count >= NEAR_CAP * cap:
                found.append((key, f"{count:,} of {cap:,} answers {span}. Beyond that it answers nothing."))
    return found
