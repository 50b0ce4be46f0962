"""What of each table belongs to a tenant, and so moves with it to another machine."""

from collections.abc import Mapping
from dataclasses import dataclass, field

_OWN = "tenant_id = :tenant"
_KEYS = f"key_id in (select id from keys where {_OWN})"  # noqa: S608 (our names)
_SOURCES = f"source_id in (select id from sources where {_OWN})"  # noqa: S608 (our names)
_VERSIONS = f"version in (select seq from versions where {_SOURCES})"  # noqa: S608 (our names)
_USERS = f"user_id in (select id from users where {_OWN})"  # noqa: S608 (our names)
_MESSAGES = f"conversation_id in (select id from conversations where {_OWN})"  # noqa: S608 (our names)


@dataclass(frozen=True, slots=True)
class Table:
    """`where`: its rows of the tenant. `numbers`: columns that hold a row number, and the table whose number it is.

    Row numbers are the machine's own: what comes from another one is numbered anew.
    """

    name: str
    where: str = _OWN
    numbers: Mapping[str, str] = field(default_factory=dict)


TABLES = (
    Table("tenants", "id = :tenant"),
    Table("plans", f"id in (select plan_id from subscriptions where {_OWN})"),  # noqa: S608 (our names)
    Table("keys"),
    Table("sources"),
    Table("versions", _SOURCES, {"seq": "versions"}),
    Table("pages", _VERSIONS, {"id": "pages", "version": "versions"}),
    Table("chunks", _VERSIONS, {"rowid": "chunks", "version": "versions", "page_id": "pages"}),
    Table("documents", _SOURCES),
    Table("users"),
    Table("recovery_codes", _USERS),
    Table("sign_in_addresses", _USERS),
    Table("conversations"),
    Table("messages", _MESSAGES, {"rowid": "messages"}),
    Table("feedback"),
    Table("unanswered"),
    Table("curated_answers"),
    Table("key_answers", _KEYS),
    Table("jobs"),
    Table("webhooks"),
    Table("events"),
    Table("deliveries"),
    Table("idempotency_keys"),
    Table("audit_log"),
    Table("subscriptions"),
    Table("quota_warnings"),
    Table("usage_months"),
    Table("usage_days"),
    Table("meter_events", numbers={"seq": "meter_events"}),
    Table("usage_ledger", numbers={"id": "usage_ledger", "reported_in": "meter_events"}),
    Table("emails"),
)

# What does not move, and why.
LEFT = {
    "sessions": "cookies are of the former machine's address: people sign in again",
    "answers_begun": "what is being answered at this moment; the appliance counts it anew when it starts",
    "signups": "who signed up is the operator's record of the former machine",
    "invites": "who was invited to sign up is the operator's record of the former machine",
    "restores": "what this machine was restored from is its own story",
    "stripe_events": "what Stripe told the former machine: it has been taken in",
}
# What is made anew of what moves: the two indexes of words, and the vectors, which the file has in a table of its own.
INDEXES = ("chunks_fts", "messages_fts", "vectors_")

# Encrypted with the machine's own key; something readable may stand before a colon.
SEALED = (
    ("webhooks", "secret"),
    ("webhooks", "former_secret"),
    ("sources", "auth"),
    ("users", "totp_secret"),
    ("idempotency_keys", "response"),
)
# Readable in the database, but not in a file: letters may have links that are good for something.
READABLE = (("emails", "body"),)
