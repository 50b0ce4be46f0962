"""`flowchat doctor`: what is wrong with a machine and a data folder, and what to do."""

import os
import sys
from dataclasses import asdict

import click

from flowchat import app
from flowchat import settings as settings_table
from flowchat.cli.options import json_option, print_json
from flowchat.redaction import Redactor
from flowchat.services.doctor import Facts, Finding, examine

_WIDTH = 9  # of the longest state, and a space


@click.command()
@click.option("--deep", is_flag=True, help="Also every byte of the models, the database's content, the network, speed.")
@json_option
def doctor(deep: bool, as_json: bool) -> None:
    """Check this machine, the data folder and the settings, and say what to do. Exit code 1 if there are problems.

    Changes nothing, and may run beside FlowChat.
    """
    settings = settings_table.load()
    holder = app.holder(settings.data_dir)
    facts = Facts(settings, (holder.pid, holder.url) if holder else None, os.environ)
    redact = Redactor(settings.secrets).redact
    found = []
    for name, finding in examine(facts, deep=deep):
        finding = Finding(finding.state, redact(finding.told), redact(finding.todo))
        found.append((name, finding))
        if not as_json:
            click.echo(_line(name, finding))
    problems = sum(finding.state == "problem" for _, finding in found)
    warnings = sum(finding.state == "warning" for _, finding in found)
    if as_json:
        print_json([{"check": name, **asdict(finding)} for name, finding in found])
    else:
        click.echo(f"{problems} problems, {warnings} warnings, {len(found)} checked.")
    sys.exit(1 if problems else 0)


def _line(name: str, finding: Finding) -> str:
    todo = f" → {finding.todo}" if finding.todo else ""
    return f"{finding.state:{_WIDTH}}{name}: {finding.told}{todo}"
