"""`flowchat billing`: what Stripe sells, and whether it has been told of all that was used."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TypeVar

import click

from flowchat import settings as settings_table
from flowchat.app import open_context, prepare_folder
from flowchat.cli.billing_fake import fake
from flowchat.cli.options import json_option, print_json, print_table
from flowchat.net.stripe_api import endpoints
from flowchat.net.stripe_api.client import connect
from flowchat.services import reconciliation, stripe_setup
from flowchat.services.context import Context
from flowchat.services.reconciliation import Line, Reconciliation
from flowchat.services.tenants import actor_for_cli
from flowchat.services.views.billing import ReconciliationView

T = TypeVar("T")


@click.group()
def billing() -> None:
    """Stripe: what it sells, and what it knows of usage. Needs FLOWCHAT_STRIPE_API_KEY."""


billing.add_command(fake)


@billing.command()
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--webhook", is_flag=True, help="Make the endpoints that Stripe sends its events to, too.")
def setup(yes: bool, webhook: bool) -> None:
    """Make the meters, products and prices of all plans at Stripe. Run it again whenever a plan has changed."""

    async def work(app: Context) -> None:
        async with connect(app.settings) as stripe:
            found = await stripe_setup.plan_set_up(app, stripe)
            for text in [f"- {step.text}" for step in found.steps] or ["Stripe has all of it already."]:
                click.echo(text)
            for note in found.notes:
                click.echo(f"Note: {note}")
            if found.steps and not yes:
                click.confirm(f"Do this at {app.settings.stripe_api_base}?", abort=True)
            if found.steps:
                await stripe_setup.carry_out(app, await actor_for_cli(app.db, None), found)
                click.echo(f"Done: {len(found.steps)}.")
            if webhook:
                _show_secrets(await stripe_setup.create_endpoints(app, stripe))
            elif not app.settings.stripe_webhook_secret:
                _tell_events(app)

    _with_context(work)


def _show_secrets(secrets: list[str]) -> None:
    click.echo("Stripe sends its events here from now on. Set this, which is shown only this once, and start again:")
    click.echo(f"FLOWCHAT_STRIPE_WEBHOOK_SECRET={','.join(secrets)}")


def _tell_events(app: Context) -> None:
    click.echo(f"Stripe has to tell of payments: {app.settings.origin}{stripe_setup.EVENTS_PATH} takes these events.")
    for event in endpoints.SUBSCRIPTION_EVENTS:
        click.echo(f"  {event}")
    for event in endpoints.METER_EVENTS:
        click.echo(f"  {event} (as a thin event, by a destination of its own)")
    click.echo("Make the endpoints at Stripe, or run `flowchat billing setup --webhook`.")


@billing.command()
@click.option("--apply", is_flag=True, help="Settle what is parked, and send what is due.")
@json_option
def reconcile(apply: bool, as_json: bool) -> None:
    """Compare the usage ledger, the outbox and Stripe, hour by hour. Exit code 1 where they differ."""

    async def work(app: Context) -> Reconciliation:
        actor = await actor_for_cli(app.db, None)
        return await reconciliation.reconcile(app, actor, reconciliation.Reconciling(apply=apply))

    found = _with_context(work)
    if as_json:
        print_json(asdict(ReconciliationView.of(found)))
    else:
        _print(found, apply)
    sys.exit(1 if found.differences else 0)


def _print(found: Reconciliation, apply: bool) -> None:
    if found.lines:
        head = ("tenant", "hour (UTC)", "metric", "ledger", "delivered", "pending", "parked", "dropped", "Stripe", "")
        print_table(head, [_row(line) for line in found.lines])
    if apply:
        settled = found.settled
        click.echo(
            f"Of what was parked, Stripe had {settled.delivered}; {settled.sent_again} sent anew; {settled.dropped} too"
            f" old for Stripe; {settled.undecided} undecided (Stripe sums up with a delay: try again in 15 minutes)."
        )
    click.echo(
        f"{found.differences} of {found.compared} hours differ or are parked, since {found.first}:00."
        if found.differences
        else f"Ledger, outbox and Stripe agree in all {found.compared} hours since {found.first}:00."
    )


def _row(line: Line) -> tuple[str, ...]:
    sums = line.sums
    numbers = (sums.ledger, sums.delivered, sums.pending, sums.parked, sums.dropped, line.stripe)
    return (line.slug, f"{sums.hour}:00", sums.metric, *map(str, numbers), line.state)


def _with_context(work: Callable[[Context], Awaitable[T]]) -> T:
    """Do that in the data folder, beside a running appliance or without one."""

    async def run() -> T:
        async with open_context(settings) as app:
            return await work(app)

    settings = settings_table.load()
    prepare_folder(settings)
    return asyncio.run(run())
