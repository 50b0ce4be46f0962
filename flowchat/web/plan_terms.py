"""A plan's terms as people read them, where they choose one."""

from dataclasses import dataclass

from flowchat.billing import Plan, format_money


@dataclass(frozen=True, slots=True)
class Terms:
    """`price` is of a month, `lines` are what it includes and what more of it costs."""

    name: str
    description: str
    price: str
    lines: list[str]


def terms(plan: Plan, currency: str) -> Terms:
    def money(nano: int) -> str:
        return f"{format_money(nano, 2)} {currency.upper()}"

    prices = plan.prices
    lines = [f"{plan.trial_days} days to try it"] if plan.trial_days else []
    for included, more_nano, noun in (
        (plan.included_queries, prices.per_1000_queries_nano, "answers"),
        (plan.included_pages, prices.per_1000_pages_nano, "crawled pages"),
    ):
        if included is None:
            lines.append(f"Any number of {noun}")
        elif plan.overage == "stop":
            lines.append(f"{included:,} {noun} a month")
        else:
            more = f"then {money(more_nano)} for 1,000" if more_nano else "and more at no charge"
            lines.append(f"{included:,} {noun} a month, {more}")
    if plan.max_sources is not None:
        lines.append(f"{plan.max_sources:,} site" if plan.max_sources == 1 else f"{plan.max_sources:,} sites")
    fee = prices.monthly_fee_nano
    price = f"{money(fee)} a month" if fee else "Free"
    return Terms(plan.name, plan.description, price, [*lines, *plan.features])
