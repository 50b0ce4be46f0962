"""What an entry of the audit log says in plain words; its operation's name stands beside."""

from collections.abc import Mapping
from typing import Any

_TOLD = 80  # characters of what somebody entered

# Operation: (what was done, the field of the entry's details that names the thing).
WORDS: dict[str, tuple[str, str]] = {
    "billing.change_plan": ("Changed the plan", "plan"),
    "billing.checkout": ("Went to Stripe to subscribe", "plan"),
    "billing.customer": ("Became a customer at Stripe", ""),
    "billing.forget_customer": ("Began anew at Stripe, which does not know the former customer", ""),
    "billing.portal": ("Opened Stripe's portal", ""),
    "billing.reconcile": ("Compared usage with Stripe", ""),
    "billing.set_up": ("Set up at Stripe what plans cost", ""),
    "billing.update": ("Stripe changed the subscription", "status"),
    "conversations.delete": ("Erased a conversation", ""),
    "conversations.erase": ("Erased all that a visitor asked", ""),
    "conversations.expire": ("Deleted old conversations", ""),
    "curated_answers.create": ("Wrote a curated answer", "question"),
    "curated_answers.delete": ("Deleted a curated answer", ""),
    "curated_answers.update": ("Changed a curated answer", "question"),
    "deliveries.redeliver": ("Sent a webhook delivery again", ""),
    "documents.create": ("Uploaded files", "names"),
    "documents.delete": ("Deleted a file", ""),
    "invitation.accept": ("Accepted an invitation", ""),
    "invites.create": ("Invited somebody to sign up", "email"),
    "invites.delete": ("Deleted an invite to sign up", ""),
    "jobs.cancel": ("Canceled a job", ""),
    "jobs.pause": ("Paused a job", ""),
    "jobs.resume": ("Resumed a job", ""),
    "keys.create": ("Made a key", "name"),
    "keys.ensure": ("Set up FlowChat's own key", "name"),
    "keys.revoke": ("Revoked a key", ""),
    "keys.rotate": ("Gave a key a new secret", ""),
    "keys.update": ("Changed a key", ""),
    "meter_events.park": ("Stripe's meter refused usage", "reason"),
    "models.pull": ("Pulled a model", ""),
    "password.change": ("Changed their password", ""),
    "password.reset": ("Chose a new password by a link", ""),
    "plans.archive": ("Archived a plan", "slug"),
    "plans.create": ("Made a plan", "slug"),
    "plans.update": ("Changed a plan", "slug"),
    "second_factor.off": ("Turned their second factor off", ""),
    "second_factor.on": ("Turned their second factor on", ""),
    "second_factor.recovery_codes": ("Made new recovery codes", ""),
    "sessions.end": ("Signed one of their browsers out", ""),
    "sessions.end_others": ("Signed their other browsers out", ""),
    "set_up": ("Set FlowChat up", "email"),
    "sign_in": ("Signed in", ""),
    "sign_in.failed": ("Failed to sign in", "reason"),
    "sign_out": ("Signed out", ""),
    "signups.confirm": ("Confirmed a sign-up", "slug"),
    "signups.create": ("Signed up", "slug"),
    "signups.delete": ("Deleted a sign-up", ""),
    "signups.link": ("Made the link of a sign-up", ""),
    "sources.create": ("Added a source", "slug"),
    "sources.delete": ("Deleted a source", "slug"),
    "sources.preview": ("Looked at a site before adding it", "url"),
    "sources.recrawl": ("Had a source crawled again", ""),
    "sources.revoke": ("Revoked a source", ""),
    "sources.update": ("Changed a source", ""),
    "tenant.update": ("Changed the settings", "name"),
    "tenants.close": ("Closed a tenant", ""),
    "tenants.create": ("Made a tenant", "slug"),
    "tenants.export": ("Exported a tenant", "slug"),
    "tenants.import": ("Imported a tenant", "slug"),
    "tenants.invite": ("Invited a tenant's first owner", "email"),
    "tenants.resume": ("Let an exported tenant go on here", "slug"),
    "tenants.update": ("Changed a tenant", "name"),
    "users.create": ("Added a user", "email"),
    "users.delete": ("Removed a user", ""),
    "users.invite": ("Made an invitation or password link", ""),
    "users.reset_link": ("Printed a password link on the command line", ""),
    "users.update": ("Changed a user", "email"),
    "versions.activate": ("Rolled a source to another version", "number"),
    "webhooks.create": ("Added a webhook endpoint", "url"),
    "webhooks.delete": ("Deleted a webhook endpoint", "url"),
    "webhooks.disable": ("Paused a webhook endpoint", ""),
    "webhooks.enable": ("Turned a webhook endpoint on again", ""),
    "webhooks.ping": ("Pinged a webhook endpoint", ""),
    "webhooks.rotate": ("Gave a webhook endpoint a new secret", ""),
    "webhooks.update": ("Changed a webhook endpoint", ""),
}


def sentence(operation: str, detail: Mapping[str, Any]) -> str:
    """Such as 'Made a key: website'."""
    words, field = WORDS.get(operation, (operation, ""))
    named = detail.get(field, "")
    text = ", ".join(named) if isinstance(named, list) else str(named)
    return f"{words}: {text[: _TOLD - 1]}…" if len(text) > _TOLD else f"{words}: {text}" if text else words


def rest(operation: str, detail: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the sentence doesn't tell, as names and values; without what is empty."""
    told = WORDS.get(operation, ("", ""))[1]
    return [(name.replace("_", " "), _text(value)) for name, value in detail.items() if name != told and _is_any(value)]


def _is_any(value: Any) -> bool:
    return value is not None and value != "" and value != []


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def choices(asked: str) -> list[tuple[str, str]]:
    """(operation, its words) to filter by, in order of their words; with the one that was asked for."""
    known = {operation: words for operation, (words, _) in WORDS.items()}
    return sorted((({asked: asked} if asked else {}) | known).items(), key=lambda choice: choice[1])
