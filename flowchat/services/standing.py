"""Whether a tenant is served: one that is read-only keeps what it has, but nothing of it changes or answers."""

from flowchat.billing import MOVED, Standing, standing_of
from flowchat.domain import Actor, Key, now
from flowchat.errors import FlowChatError
from flowchat.services.context import Context
from flowchat.store import subscriptions, tenants

REASONS = {
    "trial_over": "The trial is over. Choose a plan to go on.",
    "past_due": "A payment is due. Pay it to go on.",
    "unpaid": "An invoice was not paid. Pay it to go on.",
    "paused": "The subscription is paused. Resume it to go on.",
    "canceled": "The subscription has ended. Choose a plan to go on.",
    "moved": "It has moved to another machine. Go on there.",
}


async def of_tenant(app: Context, tenant_id: str) -> Standing:
    """Now. Two indexed rows are read."""
    if await tenants.is_moved(app.db, tenant_id):
        return MOVED
    return standing_of(await subscriptions.get(app.db, tenant_id), now(), app.settings.past_due_days)


async def require_good(app: Context, actor: Actor) -> None:
    """Raises FlowChatError `read_only` (402) for whoever belongs to a read-only tenant. Operators are never stopped."""
    if "operator" not in actor.scopes:
        _check(await of_tenant(app, actor.tenant_id), "It can still be read, and things can be revoked and deleted.")


async def require_answering(app: Context, key: Key) -> None:
    """Raises FlowChatError `read_only` (402) for keys of a read-only tenant, but FlowChat's own."""
    if key.billed:
        _check(await of_tenant(app, key.tenant_id), "Until then its keys give no answers.")


def _check(standing: Standing, rest: str) -> None:
    if standing.is_read_only:
        message = f"This tenant is read-only. {REASONS[standing.reason]} {rest}"
        raise FlowChatError("read_only", message, status=402)
