"""A copy of a data folder's appliance, served on a free port of loopback in this process."""

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from flowchat.app import holding, open_appliance, prepare_folder, serve_web
from flowchat.services.context import Appliance
from flowchat.services.derived_keys import command_line_key
from flowchat.services.tenants import actor_for_cli
from flowchat.settings import Settings

LAG_STEP_S = 0.01
COPIED = ("flowchat.db", "flowchat.db-wal", "secret.key")


@dataclass(slots=True)
class Served:
    """`lags_s`: by how much the event loop was late, every `LAG_STEP_S`."""

    app: Appliance
    key: str
    lags_s: list[float] = field(default_factory=list)


@asynccontextmanager
async def served_copy(settings: Settings) -> AsyncIterator[Served]:
    """What is asked of it leaves no trace in the folder. Raises Conflict where another process holds that."""
    with TemporaryDirectory() as folder:
        with holding(settings.data_dir):
            for name in COPIED:
                if (settings.data_dir / name).exists():
                    await asyncio.to_thread(shutil.copy, settings.data_dir / name, folder)
        copied = replace(
            settings,
            data_dir=Path(folder),
            models_dir=settings.models_path.resolve(),
            host="127.0.0.1",
            port=free_port(),
            public_url="",
            questions_per_minute=0,
        )
        await asyncio.to_thread(prepare_folder, copied)
        async with open_appliance(copied) as (app, _), serve_web(app):
            _, secret = await command_line_key(app, await actor_for_cli(app.db, None))
            served = Served(app, secret)
            async with _watching(served.lags_s):
                yield served


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def _watching(lags_s: list[float]) -> AsyncIterator[None]:
    async def watch() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(LAG_STEP_S)
            lags_s.append(time.perf_counter() - before - LAG_STEP_S)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
