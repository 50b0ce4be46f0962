"""Brings what Stripe sells in line with the plans: meters, products and prices. What is right already stays."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from flowchat.billing import METRICS, Metric, Plan
from flowchat.domain import Actor
from flowchat.errors import FlowChatError
from flowchat.net.stripe_api import catalog, endpoints, meters
from flowchat.net.stripe_api.catalog import Price, Product
from flowchat.net.stripe_api.client import Stripe
from flowchat.services.context import Context
from flowchat.services.stripe_prices import WantedPrice, lookup_keys, product_id, wanted_prices
from flowchat.store import audit_log, plans

EVENTS_PATH = "/v1/stripe/events"


@dataclass(frozen=True, slots=True)
class Step:
    """Something to be done at Stripe."""

    text: str
    work: Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class SetUp:
    """What is to be done, in this order, and what the operator should know."""

    steps: list[Step]
    notes: list[str]


async def plan_set_up(app: Context, stripe: Stripe) -> SetUp:
    """Look at what there is. Changes nothing."""
    currency = app.settings.currency.lower()
    sold = {plan: wanted_prices(plan, currency) for plan in await plans.every(app.db)}
    meter_ids = await meters.meters(stripe)
    steps = [_meter(stripe, metric, meter_ids) for metric in METRICS if metric not in meter_ids]
    for plan, wanted in sold.items():
        present = await catalog.prices(stripe, lookup_keys(plan.id))
        if wanted:
            steps += await _product(stripe, plan)
        steps += [step for price in wanted for step in _price(stripe, price, present, meter_ids)]
        keys = {price.lookup_key for price in wanted}
        steps += [_deactivation(stripe, price, plan) for key, price in present.items() if key not in keys]
    return SetUp(steps, [note for plan, wanted in sold.items() for note in _notes(plan, wanted)])


async def carry_out(app: Context, actor: Actor, wanted: SetUp) -> None:
    """Do it all at Stripe. What is done already stays done if a step fails."""
    for step in wanted.steps:
        await step.work()
    done = [step.text for step in wanted.steps]
    await app.db.write(lambda conn: audit_log.insert(conn, actor, "billing.set_up", "", steps=done))


def _meter(stripe: Stripe, metric: Metric, meter_ids: dict[Metric, str]) -> Step:
    async def create() -> None:
        meter_ids[metric] = await meters.create_meter(stripe, metric)

    return Step(f"create the meter {meters.EVENT_NAMES[metric]}: billable {metric}, summed up", create)


async def _product(stripe: Stripe, plan: Plan) -> list[Step]:
    wanted = Product(product_id(plan.id), plan.name, plan.description, is_active=True)
    present = await catalog.product(stripe, wanted.id)
    if present is None:
        return [Step(f"create the product {plan.name}", lambda: catalog.create_product(stripe, wanted, plan.id))]
    if present != wanted:
        return [Step(f"change the product {plan.name}", lambda: catalog.update_product(stripe, wanted))]
    return []


def _price(stripe: Stripe, wanted: WantedPrice, present: dict[str, Price], meter_ids: dict[Metric, str]) -> list[Step]:
    old = present.get(wanted.lookup_key)
    meter_id = meter_ids.get(wanted.metric) if wanted.metric else None
    if old and old.fingerprint == wanted.fingerprint and old.meter_id == meter_id:
        return []

    async def create() -> None:
        await catalog.create_price(
            stripe,
            product_id=product_id(wanted.plan_id),
            lookup_key=wanted.lookup_key,
            nickname=wanted.nickname,
            terms=wanted.terms,
            metadata={
                "flowchat_plan": wanted.plan_id,
                "flowchat_role": wanted.role,
                "flowchat_terms": wanted.fingerprint,
            },
            meter_id=meter_ids[wanted.metric] if wanted.metric else None,
        )
        if old:
            await catalog.deactivate_price(stripe, old.id)

    instead = f" in place of {old.id}, which subscribers keep" if old else ""
    return [Step(f"create the price {wanted.nickname}: {wanted.text}{instead}", create)]


def _deactivation(stripe: Stripe, price: Price, plan: Plan) -> Step:
    text = f"deactivate the price {price.lookup_key}: {plan.name} has none of the kind any more"
    return Step(text, lambda: catalog.deactivate_price(stripe, price.id))


def _notes(plan: Plan, wanted: list[WantedPrice]) -> list[str]:
    if not wanted:
        return [f"{plan.name} costs nothing: Stripe is not told of it."]
    if plan.prices.per_million_tokens_in_nano or plan.prices.per_million_tokens_out_nano:
        return [f"{plan.name} has prices for tokens. They show in usage, but Stripe only bills queries and pages."]
    return []


def events_url(app: Context) -> str:
    """Where Stripe is to send its events. Raises FlowChatError `no_public_url`."""
    if not app.settings.public_url:
        raise FlowChatError("no_public_url", "Set FLOWCHAT_PUBLIC_URL first: it is where Stripe sends its events.")
    return app.settings.origin + EVENTS_PATH


async def create_endpoints(app: Context, stripe: Stripe) -> list[str]:
    """The endpoints for Stripe's events; returns their secrets. Raises FlowChatError, also where there are some."""
    url = events_url(app)
    if url in await endpoints.endpoint_urls(stripe):
        message = f"Stripe sends its events to {url} already. Delete that endpoint at Stripe to get new secrets."
        raise FlowChatError("endpoint_exists", message, status=409)
    return list(await endpoints.create_endpoints(stripe, url))
