"""What may be said about a key when it is made or changed."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, cast

import msgspec
from msgspec import UNSET, UnsetType

from flowchat.domain import Mode
from flowchat.net import urls
from flowchat.services import fields

MAX_GRACE_S = 7 * 86_400

T = TypeVar("T")
Meta = msgspec.Meta

Name = Annotated[str, Meta(max_length=100, description="What you know the key by.", examples=["Online shop"])]
TenantScope = Literal["read", "write", "billing"]
TENANT_SCOPES: tuple[TenantScope, ...] = ("read", "write", "billing")
Origin = Annotated[
    str,
    Meta(
        max_length=300,
        description="Where a widget may stand: https://www.example.com (scheme, host and port, no path), "
        "*.example.com for all its subdomains, or * for every page.",
        examples=["https://www.example.com"],
        pattern=fields.ORIGIN_PATTERN,
    ),
]
ContactUrl = Annotated[
    str,
    Meta(
        max_length=500,
        description="Where visitors find a person: an http, https or mailto address.",
        examples=["https://www.example.com/contact"],
        pattern=fields.CONTACT_PATTERN,
    ),
]
Origins = Annotated[
    tuple[Origin, ...],
    Meta(
        max_length=100,
        description="Pages that may use the key. Empty: no page at all.",
        examples=[["https://www.example.com"]],
    ),
]
SourceNames = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...],
    Meta(
        max_length=50,
        description="Ids or slugs of the sources that may be asked. Empty: all of the tenant's.",
        examples=[["help"]],
    ),
]
StarterQuestions = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...],
    Meta(max_length=8, description="Questions that visitors may ask with one click."),
]
TextName = Annotated[str, Meta(pattern=fields.TEXT_NAME_PATTERN)]
Texts = Annotated[
    dict[TextName, Annotated[str, Meta(max_length=500)]],
    Meta(max_length=50, description="Texts for your page, by name: GET /v1/widget returns them as they are."),
]
MAX_ANSWERS = 1_000_000_000
DailyCap = Annotated[
    int, Meta(ge=0, le=MAX_ANSWERS, description="Answers in a day (UTC). 0: none at all. null: any number.")
]
MonthlyCap = Annotated[
    int, Meta(ge=0, le=MAX_ANSWERS, description="Answers in a month (UTC). 0: none at all. null: any number.")
]
MAX_PER_MINUTE = 1_000_000
PerMinute = Annotated[
    int, Meta(ge=1, le=MAX_PER_MINUTE, description="Questions a minute of all visitors together. null: no such limit.")
]
VisitorPerMinute = Annotated[
    int, Meta(ge=1, le=MAX_PER_MINUTE, description="Questions a minute of each visitor. null: no such limit.")
]
ExpiresAt = Annotated[
    datetime, Meta(tz=True, description="From then on the key is refused.", examples=["2030-01-31T12:00:00Z"])
]


class CapsFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answers that the key may give in a day and in a month (UTC). null: any number."""

    daily: DailyCap | UnsetType | None = UNSET
    monthly: MonthlyCap | UnsetType | None = UNSET


class LimitsFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Questions a minute, of the whole key and of each visitor. null: the appliance's own limit alone."""

    per_minute: PerMinute | UnsetType | None = UNSET
    visitor_per_minute: VisitorPerMinute | UnsetType | None = UNSET


class WidgetFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the widget shows besides answers."""

    starter_questions: StarterQuestions | UnsetType = UNSET
    contact_url: ContactUrl | UnsetType | None = UNSET
    texts: Texts | UnsetType = UNSET


class _NewKey(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    name: Name = ""
    expires_at: ExpiresAt | None = None


class NewAdminKey(_NewKey, frozen=True, kw_only=True, tag="admin"):
    """A secret key for the tenant's calls."""

    scopes: Annotated[tuple[TenantScope, ...], Meta(min_length=1, max_length=3)] = TENANT_SCOPES


class NewOperatorKey(_NewKey, frozen=True, kw_only=True, tag="operator"):
    """A secret key for the machine's calls. Only an operator may make one."""


class NewWidgetKey(_NewKey, frozen=True, kw_only=True, tag="widget"):
    """A key for asking, which visitors can read. With `test` it is not billed, and gives at most 100 answers a day."""

    origins: Origins = ()
    sources: SourceNames = ()
    mode: Mode = "gate"
    caps: CapsFields = CapsFields()
    limits: LimitsFields = LimitsFields()
    widget: WidgetFields = WidgetFields()
    test: bool = False


NewKey: TypeAlias = NewWidgetKey | NewAdminKey | NewOperatorKey


class KeyChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays as it is, inside `caps`, `limits` and `widget`, too. Only a widget key has all of it."""

    name: Name | UnsetType = UNSET
    expires_at: ExpiresAt | UnsetType | None = UNSET
    origins: Origins | UnsetType = UNSET
    sources: SourceNames | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    caps: CapsFields | UnsetType = UNSET
    limits: LimitsFields | UnsetType = UNSET
    widget: WidgetFields | UnsetType = UNSET


class Rotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the old secret stays good, so that pages can be changed meanwhile; and when the new key expires.

    Without `expires_at` that is when the old one was to; null: never.
    """

    grace_s: Annotated[
        int, Meta(ge=0, le=MAX_GRACE_S, description="Seconds. 0: it is revoked at once.", examples=[3600])
    ] = 0
    expires_at: ExpiresAt | UnsetType | None = UNSET


def merged(present: T, sent: msgspec.Struct | UnsetType) -> T:
    """A dataclass with the fields that were sent in place of its own."""
    if isinstance(sent, UnsetType):
        return present
    given = {name: value for name in sent.__struct_fields__ if (value := getattr(sent, name)) is not UNSET}
    return cast(T, replace(cast(Any, present), **given))


def normalised_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    """As browsers send them, each once."""
    return tuple(dict.fromkeys(_normalised_origin(text) for text in origins))


def _normalised_origin(text: str) -> str:
    parsed = None if text.startswith("*") else urls.parse(text)
    # What is no URL after all is sent by no browser, and so allows nothing.
    return text.lower() if parsed is None else str(parsed.origin)


def utc(moment: datetime | None) -> str | None:
    """As times are stored."""
    if moment is None:
        return None
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:  # at the ends of the calendar
        moment = moment.replace(tzinfo=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
