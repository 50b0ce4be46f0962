"""The command `flowchat`."""

import errno
import os
import sys

import click

from flowchat import __version__
from flowchat.cli import ask, backup, billing, crawl, doctor, evaluate, keys, mail, models, system, tenants, users
from flowchat.errors import DiskFull, FlowChatError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Answers from your own site, every sentence checked. Settings are environment variables: see `settings`."""


for command in (
    system.serve,
    system.worker,
    crawl.crawl,
    ask.ask,
    models.models,
    keys.keys,
    users.users,
    tenants.tenants,
    billing.billing,
    mail.mail,
    backup.backup,
    backup.restore,
    backup.release,
    system.check,
    doctor.doctor,
    system.show_settings,
    evaluate.evaluate,
):
    cli.add_command(command)


def main() -> None:
    """Expected failures are one readable line on stderr and exit code 1. What is written, only this user may read."""
    os.umask(0o077)
    try:
        cli()
    except FlowChatError as error:
        click.echo(f"flowchat: {error.message}", err=True)
        sys.exit(1)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        click.echo(f"flowchat: {DiskFull().message}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
