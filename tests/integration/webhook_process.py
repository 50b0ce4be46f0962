"""A process that delivers webhooks of a data folder, to be killed: python webhook_process.py FOLDER EVENTS_A_SECOND.

Prints `ready`, then the id of every event that it has recorded, once its transaction is committed.
"""

import asyncio
import sys
from pathlib import Path

from appliance import settings_for

from flowchat.net.webhook import Sender
from flowchat.services.context import Context
from flowchat.services.delivery import Deliverer
from flowchat.services.tenants import actor_for_cli
from flowchat.store import events
from flowchat.store.database import open_database


async def main(folder: Path, events_per_s: float) -> None:
    settings = settings_for(folder)
    async with open_database(settings.database_path) as db:
        app = Context(settings=settings, db=db, wake=lambda job_id: None)
        tenant_id = (await actor_for_cli(db, None)).tenant_id
        deliverer = Deliverer(app, Sender(settings))
        loop = asyncio.create_task(deliverer.run())
        print("ready", flush=True)
        while events_per_s:
            event_id = await db.write(lambda conn: events.record(conn, tenant_id, "version.indexed", {"version": "v"}))
            deliverer.wake()
            print(event_id, flush=True)
            await asyncio.sleep(1 / events_per_s)
        await loop


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2])))
