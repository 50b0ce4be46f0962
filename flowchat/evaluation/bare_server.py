"""The least that Quart and Hypercorn can do, as a reference: `python -m flowchat.evaluation.bare_server PORT`."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flowchat.evaluation.served import free_port
from flowchat.net.appliance import wait_until_live

START_S = 30.0


@asynccontextmanager
async def bare_server() -> AsyncIterator[str]:
    """The address of its one page."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, str(port))
    try:
        url = f"http://127.0.0.1:{port}"
        await wait_until_live(url, START_S)
        yield f"{url}/health/live"
    finally:
        process.terminate()
        await process.wait()


def _serve(port: int) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from quart import Quart

    web = Quart(__name__)

    @web.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.loglevel = "ERROR"
    asyncio.run(serve(web, config))


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
