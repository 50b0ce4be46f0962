"""`flowchat mail`: whether e-mail can be sent."""

import asyncio

import click

from flowchat import settings as settings_table
from flowchat.services.mail import send_test


@click.group()
def mail() -> None:
    """The mail server of the settings."""


@mail.command("test")
@click.argument("address")
def test(address: str) -> None:
    """Send an e-mail to an address, at once, and say how that went."""
    click.echo(asyncio.run(send_test(settings_table.load(), address)))
