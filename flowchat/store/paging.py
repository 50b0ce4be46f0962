"""Pages of a tenant's rows, newest first: ids sort by their time of creation."""

from flowchat.store.database import Database, Row


async def newest_first(
    db: Database, select: str, table: str, tenant_id: str, limit: int, starting_after: str, ending_before: str
) -> list[Row]:
    """At most `limit` rows of `select`, a query without `where` that calls the table `table`.

    `starting_after` and `ending_before` are ids, or empty.
    """
    if ending_before:
        rows = await db.rows(
            f"{select} where {table}.tenant_id = ? and {table}.id > ? order by {table}.id limit ?",
            (tenant_id, ending_before, limit),
        )
        return rows[::-1]
    return await db.rows(
        f"{select} where {table}.tenant_id = ? and (? = '' or {table}.id < ?) order by {table}.id desc limit ?",
        (tenant_id, starting_after, starting_after, limit),
    )
