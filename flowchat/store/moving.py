"""A tenant's rows as a database file of their own: collected on one machine, brought in on another."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from flowchat.domain import now
from flowchat.errors import Conflict
from flowchat.store import chunks, idempotency
from flowchat.store.database import connect, run_transaction
from flowchat.store.migrate import migrate, schema_at
from flowchat.store.tenant_tables import TABLES, Table

_VECTORS = "create table moved_vectors (chunk integer primary key, embedding blob not null) strict"
_FLOAT_BYTES = 4


def collect(database: Path, file: Path, tenant_id: str) -> dict[str, int]:
    """Make the file, with all that the tenant has at one moment; returns how many rows of each table.

    For any thread. The database is read beside whoever writes to it.
    """
    migrate(file)
    with closing(connect(database)) as source, closing(connect(file)) as target:
        source.execute("pragma query_only = on")
        source.execute("begin")  # all reads are of one moment

        def transaction(conn: sqlite3.Connection) -> dict[str, int]:
            conn.execute("pragma defer_foreign_keys = on")
            conn.execute("delete from plans")  # a fresh database has one
            conn.execute(_VECTORS)
            counts = {table.name: _copy(source, conn, table, tenant_id, {}) for table in TABLES}
            _collect_vectors(source, conn)
            return counts

        counts = run_transaction(target, transaction)
        target.execute("pragma journal_mode = delete")  # one file
    return counts


def _collect_vectors(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    tables = chunks.vector_tables(source)
    seqs = [row["seq"] for row in target.execute("select seq from versions").fetchall()]
    for table in tables:
        for seq in seqs:
            rows = source.execute(f"select chunk, embedding from {table} where version = ?", (seq,))  # noqa: S608
            target.executemany("insert into moved_vectors (chunk, embedding) values (?, ?)", map(tuple, rows))


@contextmanager
def open_file(file: Path) -> Iterator[sqlite3.Connection]:
    """To change and read its rows, one by one: references are checked where they are brought in. For any thread."""
    with closing(connect(file)) as conn:
        conn.execute("pragma foreign_keys = off")
        yield conn
        conn.execute("pragma journal_mode = delete")  # one file again


def is_sound(file: Path, schema: int) -> bool:
    """Whether it is such a file: with the tables of that schema and nothing else, such as triggers."""
    with closing(connect(file)) as conn:
        if conn.execute("pragma quick_check").fetchone()[0] != "ok":
            return False
        if int(conn.execute("pragma user_version").fetchone()[0]) != schema:
            return False
        present = {(row["type"], row["name"], row["sql"]) for row in conn.execute("select * from sqlite_schema")}
    return present == schema_at(schema, _VECTORS)


def change_texts(conn: sqlite3.Connection, columns: Iterable[tuple[str, str]], change: Callable[[str], str]) -> None:
    """Change every whole text of these (table, column)."""
    for table, column in columns:
        rows = conn.execute(
            f"select rowid, {column} as text from {table} where {column} <> ''"  # noqa: S608 (our names)
        ).fetchall()
        for row in rows:
            conn.execute(
                f"update {table} set {column} = ? where rowid = ?",  # noqa: S608 (our names)
                (change(row["text"]), row["rowid"]),
            )


def drop_outboxes(conn: sqlite3.Connection) -> None:
    """Of a copy: nothing that is on its way, and nobody whom Stripe bills. The original goes on with both."""
    conn.execute("delete from deliveries where next_attempt_at is not null")
    conn.execute("delete from emails where next_attempt_at is not null")
    conn.execute("update usage_ledger set reported_in = null")
    conn.execute("delete from meter_events")
    conn.execute("update subscriptions set billed_from = null, stripe_customer = null, stripe_subscription = null")


def rename(conn: sqlite3.Connection, slug: str) -> None:
    conn.execute("update tenants set slug = ?", (slug,))


def set_plan(conn: sqlite3.Connection, plan_id: str) -> None:
    conn.execute("update subscriptions set plan_id = ?", (plan_id,))


@contextmanager
def refused_if_taken() -> Iterator[None]:
    """Around `bring_in`. Raises Conflict `import_collides`."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise Conflict(
            "import_collides",
            f"Something of this tenant is on this machine already, in another tenant ({error}). Nothing was changed.",
        ) from None


def settle(conn: sqlite3.Connection) -> None:
    """What was at work goes on as after a restart, and nothing of the tenant has a say in the other machine."""
    moment = now()
    idempotency.mark_interrupted(conn)
    conn.execute("update jobs set paused_at = null where paused_at = (select moved_at from tenants)")
    conn.execute("update jobs set status = 'queued' where status = 'running'")
    conn.execute("update jobs set lease_owner = null, lease_until = null, reserved_pages = null")
    conn.execute("update tenants set moved_at = null")
    conn.execute("update users set is_operator = 0")
    # Those for the machine itself, and the command line's own, which another secret makes.
    conn.execute(
        "update keys set revoked_at = ? where revoked_at is null and (type = 'operator' or billed = 0)", (moment,)
    )


def bring_in(conn: sqlite3.Connection, file: sqlite3.Connection, tenant_id: str) -> None:
    """All rows of the file, in the caller's transaction. Raises sqlite3.IntegrityError where one is here already."""
    conn.execute("pragma defer_foreign_keys = on")
    shifts = {
        name: int(conn.execute(f"select coalesce(max({column}), 0) from {name}").fetchone()[0])  # noqa: S608
        for name, column in (
            (table.name, column)
            for table in TABLES
            for column, numbered in table.numbers.items()
            if numbered == table.name
        )
    }
    for table in TABLES:
        if table.name != "plans":
            _copy(file, conn, table, tenant_id, shifts)
    _index_chunks(conn, file, shifts)
    conn.execute(
        "insert into messages_fts (rowid, query, answer) select rowid, query, answer from messages where rowid > ?",
        (shifts["messages"],),
    )


def _index_chunks(conn: sqlite3.Connection, file: sqlite3.Connection, shifts: Mapping[str, int]) -> None:
    for (size,) in file.execute("select distinct length(embedding) from moved_vectors").fetchall():
        chunks.ensure_vectors(conn, size // _FLOAT_BYTES)
    rows = file.execute(
        "select c.rowid + ? as rowid, c.version + ? as version, p.title, c.headings, c.text, v.embedding"
        " from chunks c join pages p on p.id = c.page_id join moved_vectors v on v.chunk = c.rowid",
        (shifts["chunks"], shifts["versions"]),
    )
    chunks.index_again(conn, rows)


def _copy(
    source: sqlite3.Connection, target: sqlite3.Connection, table: Table, tenant_id: str, shifts: Mapping[str, int]
) -> int:
    """The tenant's rows of a table, their row numbers shifted; returns how many."""
    names = [row["name"] for row in target.execute(f"pragma table_info({table.name})")]
    read = [
        f"{name} + {shifts.get(table.numbers.get(name, ''), 0)}" if name in table.numbers else name for name in names
    ]
    rows = source.execute(
        f"select {', '.join(read)} from {table.name} where {table.where}",  # noqa: S608 (our names)
        {"tenant": tenant_id},
    )
    marks = ", ".join("?" * len(names))
    return target.executemany(
        f"insert into {table.name} ({', '.join(names)}) values ({marks})",  # noqa: S608 (our names)
        map(tuple, rows),
    ).rowcount
