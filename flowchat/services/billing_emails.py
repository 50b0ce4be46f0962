"""What tenants are written about payments."""

from flowchat.billing import Subscription, standing_of
from flowchat.services.letters import Letter, signature
from flowchat.settings import Settings

BILLING_PATH = "/admin/billing"
_READ_ONLY = "Questions are no longer answered and nothing is crawled, but nothing is deleted."


def about(
    before: Subscription | None, after: Subscription, tenant: str, plan: str, moment: str, settings: Settings
) -> Letter | None:
    """What to write when a subscription has changed at that moment; None: nothing. `tenant` and `plan` are names."""
    letter = _about(before, after, tenant, plan, moment, settings)
    return None if letter is None else signed(letter, settings)


def signed(letter: Letter, settings: Settings) -> Letter:
    """Of what concerns an account, for whoever it is written to about."""
    return Letter(letter.subject, letter.body + signature(settings.origin, "what concerns this account is sent here"))


def _about(
    before: Subscription | None, after: Subscription, tenant: str, plan: str, moment: str, settings: Settings
) -> Letter | None:
    page = settings.origin + BILLING_PATH
    former = before.status if before else None
    is_new = before is None or before.stripe_subscription != after.stripe_subscription
    match after.status:
        case "active" | "trialing" if is_new:
            return Letter(
                f"{tenant} has the plan {plan} now",
                f"Thank you for subscribing: {tenant} has the plan {plan} now.\n\nWhat it includes, how much of it is"
                f" used, and your invoices are here:\n{page}\n",
            )
        case "active" | "trialing" if former in ("past_due", "unpaid", "paused"):
            return Letter(
                f"The payment for {tenant} has arrived",
                f"Thank you: what was due for {tenant} is paid, and all goes on as before.\n\nInvoices are here:"
                f"\n{page}\n",
            )
        case "past_due" if former != "past_due":
            until = (standing_of(after, moment, settings.past_due_days).read_only_at or "")[:10]
            return Letter(
                f"A payment for {tenant} has failed",
                f"The last payment for {tenant} has failed. Until {until} everything goes on as before. From that day"
                f" on (UTC) {tenant} can only be read: questions are no longer answered and nothing is crawled. Nothing"
                f" is deleted.\n\nPay, or change the card, here:\n{page}\n",
            )
        case "unpaid" if former != "unpaid":
            return Letter(
                f"{tenant} can only be read now",
                f"The payments for {tenant} have failed. {_READ_ONLY} As soon as what is due is paid, all goes on."
                f"\n\nPay here:\n{page}\n",
            )
        case "paused" if former != "paused":
            return Letter(
                f"The subscription of {tenant} is paused",
                f"The subscription of {tenant} is paused. {_READ_ONLY}\n\nGo on with it here:\n{page}\n",
            )
        case "canceled" if former != "canceled":
            return Letter(
                f"The subscription of {tenant} has ended",
                f"The subscription of {tenant} has ended. {_READ_ONLY}\n\nSubscribe again here:\n{page}\n",
            )
    return None
