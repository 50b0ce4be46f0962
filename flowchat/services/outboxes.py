"""What waits to be sent, and whether it is held back because the database was restored from a backup."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from flowchat.domain import Actor, OlderOutbox, Restore, now
from flowchat.errors import Conflict
from flowchat.services.access import require
from flowchat.services.context import Context
from flowchat.services.operations import operation
from flowchat.store import audit_log, meter_events, restores
from flowchat.store.database import Connection


class Releasing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to become of webhooks and e-mails that were waiting when the backup was made."""

    older: Annotated[
        OlderOutbox,
        msgspec.Meta(
            description="send: they go out now, again where the replaced database has sent them; webhooks with "
            "the same event ids, by which receivers know them. drop: they are not sent."
        ),
    ]


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many are not sent yet: of before the restore, and since. Without a hold all are newer."""

    older: int = 0
    newer: int = 0


@dataclass(frozen=True, slots=True)
class Outboxes:
    """`restore` is the one for which all is held back; None: nothing is. `parked` counts usage that Stripe must be
    asked about.
    """

    restore: Restore | None
    webhooks: Waiting
    emails: Waiting
    parked: int


@operation("outboxes.get", "operator")
async def get(app: Context, actor: Actor) -> Outboxes:
    """Read what waits to be sent, and whether it is held back.

    After a backup was restored, webhooks, e-mails and usage for Stripe are held back until they are released: the
    database that was replaced may have sent them, or may still be running elsewhere.
    """
    restore = await restores.held(app.db)
    waiting = await restores.waiting(app.db, restore.restored_at if restore else "")
    parked = (await meter_events.counts(app.db)).get("parked", 0)
    return Outboxes(restore, Waiting(*waiting["deliveries"]), Waiting(*waiting["emails"]), parked)


@operation("outboxes.release", "operator")
async def release(app: Context, actor: Actor, request: Releasing) -> Outboxes:
    """Send again what is held back since a backup was restored.

    Usage that the replaced database may have reported to Stripe stays parked: `POST /v1/billing/reconcile` with
    `apply`, 15 minutes after the restore or later, settles it by what Stripe has. So nothing is billed twice.

    Raises Conflict `outboxes_not_held`.
    """

    def transaction(conn: Connection) -> None:
        restore = restores.held_now(conn)
        if restore is None:
            raise Conflict("outboxes_not_held", "Nothing is held back: no backup was restored, or all is released.")
        deliveries, emails = restores.drop_older(conn, restore.restored_at) if request.older == "drop" else (0, 0)
        restores.release(conn, now(), request.older)
        audit_log.insert(
            conn,
            actor,
            "outboxes.release",
            restore.backup,
            older=request.older,
            dropped_webhooks=deliveries,
            dropped_emails=emails,
        )

    await app.db.write(transaction)
    app.wake_delivery()
    app.wake_mail()
    return await get(app, actor)


async def held(app: Context, actor: Actor) -> Restore | None:
    """For what every page says to operators. Raises Forbidden."""
    require(actor, "operator")
    return await restores.held(app.db)
