"""How answers turned out, by day: what is told by the conversations that are kept."""

from flowchat.domain import AnswerDay
from flowchat.store.database import Database

# ?1 is the tenant, ?2 and ?3 the first and the last day. Conversations first: messages don't name their tenant.
# All of a message comes from the index `messages_by_outcome`, whose expressions these are: the answers stay unread.
DAYS = """
    with answers as materialized (
        select substr(m.created_at, 1, 10) as day, m.refusal, json_array_length(m.verdicts) as sentences,
            (length(m.verdicts) - length(replace(m.verdicts, '"ok": true', ''))) / 10 as verified,
            json_extract(m.usage, '$.first_text_ms') as ms
        from conversations c cross join messages m indexed by messages_by_outcome on m.conversation_id = c.id
        where c.tenant_id = ?1 and c.last_at >= ?2 and substr(m.created_at, 1, 10) between ?2 and ?3
    ),
    placed as (
        select *, row_number() over (partition by day order by ms nulls last) as place,
            count(ms) over (partition by day) as known
        from answers
    )
    select day, count(*) as answers, sum(refusal) as refusals, sum(sentences) as sentences, sum(verified) as verified,
        min(ms) filter (where place >= 0.5 * known) as median, min(ms) filter (where place >= 0.95 * known) as p95
    from placed group by day order by day desc
"""


async def days(db: Database, tenant_id: str, first: str, last: str) -> list[AnswerDay]:
    """Each day (YYYY-MM-DD, UTC) from `first` to `last` that has any answers, newest first."""
    return [
        AnswerDay(
            date=row["day"],
            answers=row["answers"],
            refusals=row["refusals"],
            sentences=row["sentences"],
            verified=row["verified"],
            first_text_ms=row["median"],
            slow_text_ms=row["p95"],
        )
        for row in await db.rows(DAYS, (tenant_id, first, last))
    ]
