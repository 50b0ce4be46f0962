"""What a plan costs, in Stripe's terms: a product, and up to three prices that never change once they are made."""

import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from flowchat.billing import METRICS, NANO, Metric, Plan, exact_money

Role = Literal["base", "queries", "pages"]
# Stripe counts in the smallest coin; for other currencies than these that is a hundredth.
_WITHOUT_COINS = set("bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf".split())
_THOUSANDTHS = set("bhd jod kwd omr tnd".split())


@dataclass(frozen=True, slots=True)
class WantedPrice:
    """A monthly price of a plan. `terms` are what Stripe is told of it, but for the meter, which `metric` names."""

    plan_id: str
    role: Role
    nickname: str
    text: str  # its terms, for people
    terms: dict[str, Any]

    @property
    def metric(self) -> Metric | None:
        return None if self.role == "base" else self.role

    @property
    def lookup_key(self) -> str:
        return f"flowchat_{self.plan_id}_{self.role}"

    @property
    def fingerprint(self) -> str:
        """Of its terms: prices that have the same are the same."""
        return hashlib.sha256(json.dumps(self.terms, sort_keys=True).encode()).hexdigest()[:16]


def product_id(plan_id: str) -> str:
    return f"flowchat_{plan_id}"


def lookup_keys(plan_id: str) -> list[str]:
    """Of all prices that a plan can have."""
    return [f"flowchat_{plan_id}_{role}" for role in ("base", *METRICS)]


def wanted_prices(plan: Plan, currency: str) -> list[WantedPrice]:
    """None where the plan costs nothing."""
    prices = []
    if fee := plan.prices.monthly_fee_nano:
        terms = {"currency": currency, "unit_amount_decimal": amount(fee, 1, currency)}
        text = f"{exact_money(fee)} {currency} a month"
        prices.append(WantedPrice(plan.id, "base", f"{plan.name}: a month", text, terms))
    per_1000 = {"queries": plan.prices.per_1000_queries_nano, "pages": plan.prices.per_1000_pages_nano}
    for metric in METRICS:
        price, included = per_1000[metric], plan.included(metric)
        # Without a limit nothing is beyond it, and with a hard stop nothing gets there.
        if price and included is not None and plan.overage == "metered":
            terms = _metered(amount(price, 1000, currency), included, currency)
            text = f"{included} {metric} a month are free, then {exact_money(price)} {currency} for 1,000"
            prices.append(WantedPrice(plan.id, metric, f"{plan.name}: {metric}", text, terms))
    return prices


def _metered(each: str, included: int, currency: str) -> dict[str, Any]:
    """What is included is free, and what comes after costs so much each."""
    if not included:
        return {"currency": currency, "unit_amount_decimal": each}
    tiers = [{"up_to": included, "unit_amount_decimal": "0"}, {"up_to": "inf", "unit_amount_decimal": each}]
    return {"currency": currency, "billing_scheme": "tiered", "tiers_mode": "graduated", "tiers": tiers}


def amount(nano: int, per: int, currency: str) -> str:
    """In the currency's smallest coins, of one where so many cost `nano`."""
    coins = 1 if currency in _WITHOUT_COINS else 1000 if currency in _THOUSANDTHS else 100
    exact = Decimal(nano) * coins / NANO / per
    text = f"{exact:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
