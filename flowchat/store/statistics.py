"""How answers turned out, by day: what is told by the conversations that are kept."""

from flowchat.domain import AnswerDay
from flowchat.store.database import Database

# ?1 is the tenant, ?2 and ?3 the first and the last day. Conversations first: messages don't name their tenant.
_MESSAGES = """
    select substr(m.created_at, 1, 10) as day, m.*
    from conversations c cross join messages m on m.conversation_id = c.id
    where c.tenant_id = ?1 and c.last_at >= ?2 and substr(m.created_at, 1, 10) between ?2 and ?3
"""
_COUNTS = """
    select day, count(*) as answers, sum(refusal) as refusals, sum(json_array_length(verdicts)) as sentences,
        sum((select count(*) from json_each(verdicts) v where json_extract(v.value, '$.ok'))) as verified
    from (MESSAGES) group by day order by day desc
""".replace("MESSAGES", _MESSAGES)
_TIMES = """
    select day, min(ms) filter (where place >= 0.5 * known) as median,
        min(ms) filter (where place >= 0.95 * known) as p95
    from (
        select day, ms, row_number() over (partition by day order by ms) as place,
            count(*) over (partition by day) as known
        from (select day, json_extract(usage, '$.first_text_ms') as ms from (MESSAGES)) where ms is not null
    ) group by day
""".replace("MESSAGES", _MESSAGES)


async def days(db: Database, tenant_id: str, first: str, last: str) -> list[AnswerDay]:
    """Each day (YYYY-MM-DD, UTC) from `first` to `last` that has any answers, newest first."""
    asked = (tenant_id, first, last)
    times = {row["day"]: (row["median"], row["p95"]) for row in await db.rows(_TIMES, asked)}
    return [
        AnswerDay(
            date=row["day"],
            answers=row["answers"],
            refusals=row["refusals"],
            sentences=row["sentences"],
            verified=row["verified"],
            first_text_ms=times.get(row["day"], (None, None))[0],
            slow_text_ms=times.get(row["day"], (None, None))[1],
        )
        for row in await db.rows(_COUNTS, asked)
    ]
