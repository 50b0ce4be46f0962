"""Webhooks, events and deliveries."""

from dataclasses import asdict, dataclass
from typing import Any, Self

from flowchat.domain import Delivery, DeliveryAttempt, DeliveryStatus, EventType, Webhook, WebhookEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookView:
    """An endpoint that is told of events. `failing_since`: nothing but failures since then."""

    id: str
    url: str
    events: tuple[str, ...]
    description: str
    enabled: bool
    disabled_at: str | None
    disabled_reason: str | None
    failing_since: str | None
    former_secret_until: str | None
    created_at: str

    @classmethod
    def of(cls, webhook: Webhook) -> Self:
        return cls(
            id=webhook.id,
            url=webhook.url,
            events=webhook.events,
            description=webhook.description,
            enabled=webhook.disabled_at is None,
            disabled_at=webhook.disabled_at,
            disabled_reason=webhook.disabled_reason,
            failing_since=webhook.failing_since,
            former_secret_until=webhook.former_until,
            created_at=webhook.created_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedWebhookView(WebhookView):
    """An endpoint with its new signing secret, shown only this once."""

    secret: str

    @classmethod
    def of(cls, made: tuple[Webhook, str]) -> Self:  # type: ignore[override]
        webhook, secret = made
        return cls(**asdict(WebhookView.of(webhook)), secret=secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """Something that happened, in the form that endpoints get it."""

    id: str
    type: EventType
    created_at: str
    tenant_id: str
    data: dict[str, Any]

    @classmethod
    def of(cls, event: WebhookEvent) -> Self:
        return cls(
            id=event.id, type=event.type, created_at=event.created_at, tenant_id=event.tenant_id, data=event.data
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """An event on its way to an endpoint. `next_attempt_at` is null when it has arrived or been given up."""

    id: str
    webhook: str
    event: EventView
    status: DeliveryStatus
    attempts: tuple[DeliveryAttempt, ...]
    next_attempt_at: str | None
    created_at: str

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        return cls(
            id=delivery.id,
            webhook=delivery.webhook_id,
            event=EventView.of(delivery.event),
            status=delivery.status,
            attempts=delivery.attempts,
            next_attempt_at=delivery.next_attempt_at,
            created_at=delivery.created_at,
        )
