"""Keys."""

from dataclasses import dataclass, fields
from typing import Self

from flowchat.domain import Caps, Key, KeyType, Limits, Mode, WidgetConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyView:
    """A key without its secret, which is stored nowhere. `sources` are ids; none of them: all of the tenant's."""

    id: str
    type: KeyType
    name: str
    prefix: str
    last_four: str
    mode: Mode
    scopes: tuple[str, ...]
    origins: tuple[str, ...]
    sources: tuple[str, ...]
    caps: Caps
    limits: Limits
    widget: WidgetConfig
    created_at: str
    expires_at: str | None
    revoked_at: str | None

    @classmethod
    def of(cls, key: Key) -> Self:
        return cls(**{field.name: getattr(key, field.name) for field in fields(KeyView)})


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedKeyView(KeyView):
    """A new key with its secret, shown only this once."""

    key: str

    @classmethod
    def of(cls, created: tuple[Key, str]) -> Self:  # type: ignore[override]
        key, secret = created
        return cls(**{field.name: getattr(key, field.name) for field in fields(KeyView)}, key=secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class WidgetView:
    """What a widget needs to know before the first question: nothing that its visitors may not see."""

    starter_questions: tuple[str, ...]
    contact_url: str | None
    texts: dict[str, str]
    mode: Mode
    test: bool

    @classmethod
    def of(cls, key: Key) -> Self:
        return cls(
            starter_questions=key.widget.starter_questions,
            contact_url=key.widget.contact_url,
            texts=key.widget.texts,
            mode=key.mode,
            test=key.is_test,
        )
