"""Retention: what has been kept long enough is deleted in the background."""

from flowchat.domain import Actor
from flowchat.services.context import Context
from flowchat.store import audit_log, conversations, emails, idempotency, signups
from flowchat.store.database import Connection

BATCH = 100  # conversations of one transaction: chats wait for it


async def delete_old(app: Context) -> None:
    """Conversations that are older than their tenant keeps them, idempotency keys after a day, e-mails after 30 days,
    sign-ups that nobody has confirmed after 7.
    """
    while await app.db.write(_delete_some):
        pass
    await app.db.write(idempotency.delete_old)
    await app.db.write(signups.delete_old)
    await app.db.write(emails.delete_old)


def _delete_some(conn: Connection) -> bool:
    """False if there was nothing to delete."""
    expired = conversations.expired(conn, BATCH)
    if expired is None:
        return False
    tenant_id, conversation_ids = expired
    erased = conversations.delete(conn, tenant_id, conversation_ids)
    audit_log.insert(
        conn,
        Actor(tenant_id, "system", frozenset()),
        "conversations.expire",
        tenant_id,
        conversations=erased.conversations,
        messages=erased.messages,
    )
    return True
