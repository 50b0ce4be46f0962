"""The entries of the navigation. One is shown when its page exists and the user may do what it lists."""

from dataclasses import dataclass

from quart import current_app, request, url_for

from flowchat.domain import Actor
from flowchat.services.operations import OPERATIONS


@dataclass(frozen=True, slots=True)
class Entry:
    """`endpoint` is the page's function; `operation` what its first page shows."""

    title: str
    endpoint: str
    operation: str
    icon: str


@dataclass(frozen=True, slots=True)
class Shown:
    title: str
    url: str
    icon: str
    is_current: bool


ENTRIES: dict[str, tuple[Entry, ...]] = {
    "": (
        Entry("Overview", "overview_show", "tenant.get", "home"),
        Entry("Sources", "sources_list", "sources.list", "globe"),
        Entry("Playground", "playground_show", "playground.ask", "spark"),
    ),
    "Answers": (
        Entry("Conversations", "conversations_list", "conversations.list", "chat"),
        Entry("Unanswered", "questions_list", "questions.unanswered", "question"),
        Entry("Curated answers", "curated_answers_list", "curated_answers.list", "pen"),
    ),
    "Connect": (
        Entry("Keys", "keys_list", "keys.list", "key"),
        Entry("Widget", "widget_show", "keys.list", "window"),
        Entry("Webhooks", "webhooks_list", "webhooks.list", "hook"),
    ),
    "Account": (
        Entry("Usage", "usage_list", "usage.list", "chart"),
        Entry("Plan and billing", "billing_show", "billing.get", "card"),
        Entry("Jobs", "jobs_list", "jobs.list", "clock"),
        Entry("Audit log", "audit_log_list", "audit_log.list", "list"),
        Entry("Users", "users_list", "users.list", "people"),
        Entry("Settings", "tenant_edit", "tenant.get", "sliders"),
    ),
    "Machine": (
        Entry("Tenants", "tenants_list", "tenants.list", "building"),
        Entry("Plans", "plans_list", "plans.list", "tag"),
        Entry("Sign-ups", "signups_list", "signups.list", "envelope"),
        Entry("Stripe", "stripe_show", "meter_events.list", "card"),
        Entry("Backups", "backups_list", "backups.list", "archive"),
        Entry("Models", "models_list", "models.list", "chip"),
        Entry("Machine settings", "settings_list", "settings.list", "server"),
    ),
}


def shown_to(actor: Actor) -> dict[str, list[Shown]]:
    """Entries by the title of their group."""
    groups = {
        title: [_shown(entry) for entry in entries if _exists(entry) and can(actor, entry.operation)]
        for title, entries in ENTRIES.items()
    }
    return {title: entries for title, entries in groups.items() if entries}


def can(actor: Actor, operation: str) -> bool:
    """Whether the actor's scopes let them ask for an operation."""
    return not actor.scopes.isdisjoint(OPERATIONS[operation].scopes)


def _exists(entry: Entry) -> bool:
    return f"admin.{entry.endpoint}" in current_app.view_functions and entry.operation in OPERATIONS


def _shown(entry: Entry) -> Shown:
    url = url_for(f"admin.{entry.endpoint}")
    is_current = request.path == url or (url != "/admin" and request.path.startswith(f"{url}/"))
    return Shown(entry.title, url, entry.icon, is_current)
