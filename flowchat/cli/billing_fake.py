"""`flowchat billing fake`: a Stripe on this machine, to try billing without the network."""

import asyncio
import logging
import secrets
import signal
import socket

import click

from flowchat.errors import FlowChatError
from flowchat.stripe_fake import create_fake
from flowchat.stripe_fake.serving import serve

EVENTS_URL = "http://127.0.0.1:8080/v1/stripe/events"


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on. Nobody has to sign in.")
@click.option(
    "--port", default=8081, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes any free one."
)
@click.option("--webhook-url", default=EVENTS_URL, show_default=True, help="Where events are sent to; '' for nowhere.")
@click.option("--webhook-secret", default="", help="Secret that they are signed with.  [default: a new one]")
def fake(host: str, port: int, webhook_url: str, webhook_secret: str) -> None:
    """Be a Stripe to try billing with: in memory, on this machine, with no money in it."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    listener = _listen(host, port)
    url = f"http://{host}:{listener.getsockname()[1]}"
    secret = webhook_secret or f"whsec_{secrets.token_hex(16)}"
    application = create_fake(webhook_url=webhook_url, webhook_secret=secret)

    @application.before_serving
    async def tell() -> None:
        click.echo(f"ready {url}")
        click.echo("Start FlowChat with these settings, then run `flowchat billing setup` with them:")
        click.echo("FLOWCHAT_STRIPE_API_KEY=sk_test_fake")
        click.echo(f"FLOWCHAT_STRIPE_API_BASE={url}")
        click.echo(f"FLOWCHAT_STRIPE_WEBHOOK_SECRET={secret}")

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await serve(application, listener, stop)

    asyncio.run(run())


def _listen(host: str, port: int) -> socket.socket:
    """Raises FlowChatError `port_in_use`."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        message = f"Nothing can listen on {host}:{port} ({error.strerror}). Choose another address or --port."
        raise FlowChatError("port_in_use", message) from error
