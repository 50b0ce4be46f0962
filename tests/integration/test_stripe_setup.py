"""`flowchat billing setup`: what Stripe sells follows the plans."""

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from appliance import operator, running
from metered import STARTER, add_plans
from stripe_faking import KEY, StripeFake, stripe_fake

from flowchat.billing import Plan, Prices
from flowchat.errors import FlowChatError
from flowchat.net.stripe_api.client import connect
from flowchat.services import stripe_setup
from flowchat.services.context import Appliance
from flowchat.store import plans

ROOT = Path(__file__).resolve().parent.parent.parent


async def set_up(app: Appliance) -> list[str]:
    """What was done."""
    async with connect(app.settings) as stripe:
        found = await stripe_setup.plan_set_up(app, stripe)
        if found.steps:
            await stripe_setup.carry_out(app, await operator(app), found)
    return [step.text for step in found.steps]


async def prices(fake: StripeFake) -> dict[str, Any]:
    """Active ones by lookup key."""
    return {price["lookup_key"]: price for price in await fake.objects("price") if price["active"]}


async def change(app: Appliance, plan: Plan) -> None:
    await app.db.write(lambda conn: plans.update(conn, plan))


async def test_all_is_made_once(tmp_path: Path) -> None:
    async with stripe_fake() as fake, running(tmp_path, stripe_api_key=KEY, stripe_api_base=fake.url) as app:
        await add_plans(app)
        done = await set_up(app)
        assert len(done) == 2 + 2 + 3 + 2
        assert done[0] == "create the meter flowchat_queries: billable queries, summed up"
        assert await set_up(app) == []
        meters = {meter["event_name"]: meter for meter in await fake.objects("meter")}
        assert meters["flowchat_pages"]["default_aggregation"] == {"formula": "sum"}
        assert {product["id"] for product in await fake.objects("product")} == {
            "flowchat_pln_starter",
            "flowchat_pln_large",
        }
        made = await prices(fake)
        assert set(made) == {
            "flowchat_pln_starter_base",
            "flowchat_pln_starter_queries",
            "flowchat_pln_starter_pages",
            "flowchat_pln_large_base",
            "flowchat_pln_large_queries",
        }
        base, metered = made["flowchat_pln_starter_base"], made["flowchat_pln_starter_queries"]
        assert (base["unit_amount"], base["recurring"]["interval"]) == (2900, "month")
        assert metered["recurring"]["meter"] == meters["flowchat_queries"]["id"]
        assert metered["recurring"]["usage_type"] == "metered"
        assert [(tier["up_to"], tier["unit_amount_decimal"]) for tier in metered["tiers"]] == [
            (10, "0"),
            (None, "0.25"),
        ]
        assert metered["metadata"]["flowchat_plan"] == STARTER.id
        log = await app.db.rows("select * from audit_log where operation = 'billing.set_up'")
        assert len(log) == 1


async def test_a_changed_price_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    async with stripe_fake() as fake, running(tmp_path, stripe_api_key=KEY, stripe_api_base=fake.url) as app:
        await add_plans(app, STARTER)
        await set_up(app)
        old = (await prices(fake))["flowchat_pln_starter_base"]["id"]
        await change(app, replace(STARTER, prices=replace(STARTER.prices, monthly_fee_nano=39_000_000_000)))
        [text] = await set_up(app)
        assert "39.00 usd a month" in text and old in text
        new = (await prices(fake))["flowchat_pln_starter_base"]
        assert (new["id"] != old, new["unit_amount"]) == (True, 3900)
        [deactivated] = [price for price in await fake.objects("price") if price["id"] == old]
        assert (deactivated["active"], deactivated["lookup_key"]) == (False, None)
        assert await set_up(app) == []


async def test_a_price_that_is_gone_is_deactivated(tmp_path: Path) -> None:
    async with stripe_fake() as fake, running(tmp_path, stripe_api_key=KEY, stripe_api_base=fake.url) as app:
        await add_plans(app, STARTER)
        await set_up(app)
        await change(app, replace(STARTER, overage="stop"))
        assert len(await set_up(app)) == 2
        assert set(await prices(fake)) == {"flowchat_pln_starter_base"}
        assert await set_up(app) == []
        await change(app, replace(STARTER, prices=Prices()))
        assert len(await set_up(app)) == 1
        assert await prices(fake) == {}


async def test_names_follow(tmp_path: Path) -> None:
    async with stripe_fake() as fake, running(tmp_path, stripe_api_key=KEY, stripe_api_base=fake.url) as app:
        await add_plans(app, STARTER)
        await set_up(app)
        await change(app, replace(STARTER, name="Begin", description=""))
        assert await set_up(app) == ["change the product Begin"]
        [product] = await fake.objects("product")
        assert (product["name"], product["description"] or "") == ("Begin", "")
        assert await set_up(app) == []


async def test_what_broke_off_goes_on(tmp_path: Path) -> None:
    async with stripe_fake() as fake, running(tmp_path, stripe_api_key=KEY, stripe_api_base=fake.url) as app:
        await add_plans(app)
        for seed in range(4):
            await fake.fail(0.3, "500_before", "500_after", seed=seed)
            try:
                await set_up(app)
            except FlowChatError as error:
                assert error.code in ("stripe_unanswered", "stripe_refused")
        await fake.fail(0)
        await set_up(app)
        assert await set_up(app) == []
        assert len(await prices(fake)) == 5
        assert len(await fake.objects("meter")) == 2


async def test_endpoints_are_made_once(tmp_path: Path) -> None:
    async with (
        stripe_fake() as fake,
        running(tmp_path, stripe_api_key=KEY, stripe_api_base=fake.url, public_url="https://chat.example.com") as app,
        connect(app.settings) as stripe,
    ):
        secrets = await stripe_setup.create_endpoints(app, stripe)
        assert len(secrets) == 2 and all(secret.startswith("whsec_") for secret in secrets)
        [endpoint] = await fake.objects("webhook_endpoint")
        assert endpoint["url"] == "https://chat.example.com/v1/stripe/events"
        [thin] = await fake.objects("event_destination")
        assert thin["enabled_events"] == ["v1.billing.meter.error_report_triggered"]
        with pytest.raises(FlowChatError, match="already"):
            await stripe_setup.create_endpoints(app, stripe)
        object.__setattr__(app.settings, "public_url", "")
        with pytest.raises(FlowChatError, match="FLOWCHAT_PUBLIC_URL"):
            await stripe_setup.create_endpoints(app, stripe)


async def test_on_the_command_line(tmp_path: Path) -> None:
    async with stripe_fake() as fake, running(tmp_path, stripe_api_key=KEY, stripe_api_base=fake.url) as app:
        await add_plans(app, STARTER)
        environ = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "FLOWCHAT_DATA_DIR": str(tmp_path),
            "FLOWCHAT_STRIPE_API_KEY": KEY,
            "FLOWCHAT_STRIPE_API_BASE": fake.url,
            "FLOWCHAT_PUBLIC_URL": "https://chat.example.com",
        }

        async def command(*options: str, says: str = "") -> subprocess.CompletedProcess[str]:
            made = [sys.executable, "-m", "flowchat", "billing", "setup", *options]
            return await asyncio.to_thread(
                subprocess.run, made, env=environ, input=says, capture_output=True, text=True, timeout=60, check=False
            )

        asked = await command(says="n\n")
        assert (asked.returncode, await fake.objects("product")) == (1, [])
        assert "- create the product Starter\n" in asked.stdout
        assert "Trial costs nothing" in asked.stdout
        done = await command("--yes", "--webhook")
        assert done.returncode == 0, done.stderr
        assert "FLOWCHAT_STRIPE_WEBHOOK_SECRET=whsec_" in done.stdout
        again = await command()
        assert again.returncode == 0
        assert "Stripe has all of it already." in again.stdout
        assert "customer.subscription.updated" in again.stdout
        del environ["FLOWCHAT_STRIPE_API_KEY"]
        without = await command()
        assert (without.returncode, "FLOWCHAT_STRIPE_API_KEY" in without.stderr) == (1, True)
