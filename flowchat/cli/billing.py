"""`flowchat billing`."""

import click

from flowchat.cli.billing_fake import fake


@click.group()
def billing() -> None:
    """Stripe: what it sells, and what it knows of usage."""


billing.add_command(fake)
