"""A process that sends the e-mails of a data folder, to be killed: python mail_process.py FOLDER PORT EMAILS_A_SECOND.

Prints `ready`, then the id of every e-mail that it has written, once its transaction is committed.
"""

import asyncio
import sys
from pathlib import Path

from appliance import settings_for

from flowchat.net.mail import server_of
from flowchat.services.context import Context
from flowchat.services.mail import Postman
from flowchat.store import emails
from flowchat.store.database import open_database


async def main(folder: Path, port: int, emails_per_s: float) -> None:
    settings = settings_for(folder, smtp_url=f"smtp://127.0.0.1:{port}", mail_from="chat@acme.example")
    server = server_of(settings)
    assert server
    async with open_database(settings.database_path) as db:
        postman = Postman(Context(settings=settings, db=db, wake=lambda job_id: None), server)
        loop = asyncio.create_task(postman.run())
        print("ready", flush=True)
        while emails_per_s:
            email_id = await db.write(lambda conn: emails.insert(conn, "ann@shop.example", "Hi", "Hello"))
            postman.wake()
            print(email_id, flush=True)
            await asyncio.sleep(1 / emails_per_s)
        await loop


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
