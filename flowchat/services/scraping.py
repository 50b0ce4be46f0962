"""What /metrics shows. Prometheus is a probe of the operator's: it has no page in the admin, whose overview and pages
of jobs, webhooks and Stripe tell people the same.
"""

import asyncio
import platform
import shutil
from datetime import datetime
from pathlib import Path
from time import monotonic

from flowchat import __version__
from flowchat.domain import Actor, now
from flowchat.services.access import require
from flowchat.services.context import Appliance
from flowchat.store import measures, restores
from flowchat.store.database import SQLITE_VERSION

FILES = ("flowchat.db", "flowchat.db-wal", "huey.db", "revoked.log")
BACKUPS = "backups/flowchat-*.zip"
LAG_PAUSE_S = 0.5


async def scrape(app: Appliance, actor: Actor) -> bytes:
    """All figures, as of now. Raises Forbidden `scope_missing` for whoever is not the operator."""
    require(actor, "operator")
    began = monotonic()
    await _look_at_queues(app)
    _look_at_memory(app)
    await asyncio.to_thread(_look_at_disk, app)
    app.metrics.free_bytes.set(await measures.free_bytes(app.db))
    app.metrics.scrape_s.set(monotonic() - began)
    return app.metrics.rendered()


async def look_closely(app: Appliance) -> None:
    """At what takes longer than a scrape should. Call it every few minutes."""
    for name, number in (await measures.content(app.db)).items():
        app.metrics.content.labels(name).set(number)
    for index, size in (await measures.index_bytes(app.db)).items():
        app.metrics.index_bytes.labels(index).set(size)


async def watch_loop(app: Appliance) -> None:
    """Measure how late this event loop wakes up, without end."""
    while True:
        began = monotonic()
        await asyncio.sleep(LAG_PAUSE_S)
        app.metrics.loop_lag_s.observe(max(0.0, monotonic() - began - LAG_PAUSE_S))


async def _look_at_queues(app: Appliance) -> None:
    metrics = app.metrics
    metrics.jobs.clear()
    for (job_type, status), number in (await measures.jobs(app.db)).items():
        metrics.jobs.labels(job_type, status).set(number)
    oldest = await measures.oldest_job(app.db)
    metrics.oldest_job_s.set(_age_s(oldest) if oldest else 0)
    for outbox, (pending, due_at) in (await measures.outboxes(app.db)).items():
        metrics.outbox.labels(outbox, "pending").set(pending)
        metrics.outbox_overdue_s.labels(outbox).set(max(0.0, _age_s(due_at)))
    metrics.held_back.set(await restores.held(app.db) is not None)
    metrics.outbox.labels("meter_events", "parked").set(await measures.parked_meter_events(app.db))


def _age_s(moment: str) -> float:
    return (datetime.fromisoformat(now()) - datetime.fromisoformat(moment)).total_seconds()


def _look_at_memory(app: Appliance) -> None:
    """What needs no more than a look at what the process knows."""
    metrics, engines = app.metrics, app.engines
    versions = {"python": platform.python_version(), "sqlite": SQLITE_VERSION}
    metrics.build.info({"version": __version__, **versions, "generator": app.settings.generator.partition("@")[0]})
    metrics.answers_active.set(app.slots.taken)
    metrics.answers_waiting.set(app.slots.waiting)
    metrics.answer_places.set(app.slots.limit)
    metrics.generator_up.set(engines.generator is not None and engines.problem is None)


def _look_at_disk(app: Appliance) -> None:
    metrics, folder = app.metrics, app.settings.data_dir
    disk = shutil.disk_usage(folder)
    metrics.disk_free_bytes.set(disk.free)
    metrics.disk_bytes.set(disk.total)
    for name in FILES:
        metrics.files_bytes.labels(name).set(_stat(folder / name)[0])
    newest = max((_stat(path)[1] for path in folder.glob(BACKUPS)), default=0.0)
    metrics.last_backup.set(newest)


def _stat(path: Path) -> tuple[int, float]:
    """Size and time of a file, which may go at any moment."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0, 0.0
    return status.st_size, status.st_mtime
