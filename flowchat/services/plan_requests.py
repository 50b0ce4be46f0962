"""What may be said about a plan when it is made or changed."""

from dataclasses import replace
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from flowchat.billing import NANO, Overage, Prices, parse_money
from flowchat.errors import FlowChatError
from flowchat.services.fields import TEXT_PATTERN, Slug

MAX_INCLUDED = 1_000_000_000
MAX_PRICE_NANO = 1_000_000 * NANO
MAX_TRIAL_DAYS = 730  # as long as Stripe allows

Name = Annotated[str, Meta(pattern=TEXT_PATTERN, max_length=100, examples=["Business"])]
Description = Annotated[str, Meta(max_length=500, description="A sentence for those who choose a plan.")]
Feature = Annotated[str, Meta(pattern=TEXT_PATTERN, max_length=100)]
Features = Annotated[
    tuple[Feature, ...], Meta(max_length=20, description="What else the plan offers.", examples=[["Help by e-mail"]])
]
IncludedQueries = Annotated[
    int,
    Meta(ge=0, le=MAX_INCLUDED, description="Billable answers of a month (UTC). null: any number.", examples=[5000]),
]
IncludedPages = Annotated[
    int, Meta(ge=0, le=MAX_INCLUDED, description="Billable pages of a month (UTC). null: any number.", examples=[2000])
]
MaxSources = Annotated[int, Meta(ge=0, le=MAX_INCLUDED, description="Sources at a time. null: any number.")]
OverageField = Annotated[
    Overage, Meta(description="Beyond what is included: metered is billed by the prices; stop refuses it.")
]
TrialDays = Annotated[int, Meta(ge=0, le=MAX_TRIAL_DAYS, description="Days for nothing at first. 0: none.")]
IsPublic = Annotated[bool, Meta(description="Whether tenants may choose it themselves.")]
IsTrial = Annotated[bool, Meta(description="Whether sign-ups begin with it, in place of the plan they did before.")]
Amount = Annotated[
    str, Meta(max_length=20, description="In whole units of the currency, to the billionth.", examples=["2.00"])
]
TokenAmount = Annotated[str, Meta(max_length=20, description="Of billable answers.", examples=["0.15"])]


class PriceFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Each is an amount such as "0.50": of a month, and of what is used beyond what the plan includes."""

    monthly_fee: Amount | UnsetType = UNSET
    per_1000_queries: Amount | UnsetType = UNSET
    per_1000_pages: Amount | UnsetType = UNSET
    per_million_tokens_in: TokenAmount | UnsetType = UNSET
    per_million_tokens_out: TokenAmount | UnsetType = UNSET


PricesField = Annotated[PriceFields, Meta(examples=[{"monthly_fee": "29.00", "per_1000_queries": "2.00"}])]


class NewPlan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What tenants can subscribe to. Its slug stays as it is."""

    slug: Slug
    name: Name
    description: Description = ""
    features: Features = ()
    included_queries: IncludedQueries | None = None
    included_pages: IncludedPages | None = None
    max_sources: MaxSources | None = None
    overage: OverageField = "metered"
    trial_days: TrialDays = 0
    prices: PricesField = PriceFields()
    is_public: IsPublic = False
    is_trial: IsTrial = False


class PlanUpdate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays as it is, inside `prices`, too. It holds at once for all who have the plan.

    What was used before keeps its cost.
    """

    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    features: Features | UnsetType = UNSET
    included_queries: IncludedQueries | UnsetType | None = UNSET
    included_pages: IncludedPages | UnsetType | None = UNSET
    max_sources: MaxSources | UnsetType | None = UNSET
    overage: OverageField | UnsetType = UNSET
    trial_days: TrialDays | UnsetType = UNSET
    prices: PricesField | UnsetType = UNSET
    is_public: IsPublic | UnsetType = UNSET
    is_trial: IsTrial | UnsetType = UNSET


def priced(present: Prices, sent: PriceFields | UnsetType) -> Prices:
    """With the prices that were sent in place of the present ones. Raises FlowChatError `bad_prices`."""
    if isinstance(sent, UnsetType):
        return present
    given = {name: text for name in sent.__struct_fields__ if (text := getattr(sent, name)) is not UNSET}
    return replace(present, **{f"{name}_nano": _nano(name, text) for name, text in given.items()})


def _nano(name: str, text: str) -> int:
    try:
        nano = parse_money(text.strip())
    except ValueError:
        nano = MAX_PRICE_NANO + 1
    if nano > MAX_PRICE_NANO:
        field = name.replace("_", " ").capitalize()
        message = f"{field} can't be '{text}': give an amount such as 0.50, from 0 to 1000000, to the billionth."
        raise FlowChatError("bad_prices", message, param=f"prices.{name}")
    return nano
