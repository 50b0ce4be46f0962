"""An appliance with small fake models on a real database, for tests of the services."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from fakes import fake_engines

from flowchat.answer.pipeline import Answerer
from flowchat.domain import Actor
from flowchat.engines.priority import BulkGate
from flowchat.engines.protocols import Engines
from flowchat.services.context import Appliance
from flowchat.services.tenants import actor_for_cli
from flowchat.settings import Settings
from flowchat.store.database import open_database
from flowchat.store.migrate import migrate


def settings_for(data_dir: Path, **changes: object) -> Settings:
    base = Settings(data_dir=data_dir, allow_private_hosts=("127.0.0.1",), embedder="fake-embedder")
    return replace(base, **changes)  # type: ignore[arg-type]


@asynccontextmanager
async def running(data_dir: Path, engines: Engines | None = None, **changes: object) -> AsyncIterator[Appliance]:
    """Nobody works on its jobs: call `worker.run`."""
    settings = settings_for(data_dir, **changes)
    migrate(settings.database_path)
    models = engines or fake_engines()
    gate = BulkGate()
    async with open_database(settings.database_path) as db:
        yield Appliance(
            settings=settings,
            db=db,
            wake=lambda job_id: None,
            engines=models,
            gate=gate,
            answerer=Answerer(settings, db, models, gate),
        )


async def operator(app: Appliance) -> Actor:
    return await actor_for_cli(app.db, None)
