"""What tenants are written about payments."""

from dataclasses import dataclass

from flowchat.billing import Subscription, after_days
from flowchat.settings import Settings

BILLING_PATH = "/admin/billing"


@dataclass(frozen=True, slots=True)
class Text:
    subject: str
    body: str


def about(before: Subscription, after: Subscription, tenant: str, settings: Settings) -> Text | None:
    """What to write when a subscription has changed; None: nothing."""
    if before.status == after.status:
        return None
    page = settings.origin + BILLING_PATH
    match after.status:
        case "past_due":
            until = after_days(after.past_due_at or "", settings.past_due_days)[:10]
            return Text(
                f"A payment for {tenant} has failed",
                f"The last payment for {tenant} has failed. Everything goes on as before until {until} (UTC)."
                f" After that day {tenant} can only be read: questions are no longer answered and nothing is crawled."
                f" Nothing is deleted.\n\nPay, or change the card, here:\n{page}\n",
            )
        case "unpaid":
            return Text(
                f"{tenant} can only be read now",
                f"The payments for {tenant} have failed. Questions are no longer answered and nothing is crawled, but"
                f" nothing is deleted. As soon as what is due is paid, all goes on.\n\nPay here:\n{page}\n",
            )
        case "canceled":
            return Text(
                f"The subscription of {tenant} has ended",
                f"The subscription of {tenant} has ended. Questions are no longer answered and nothing is crawled, but"
                f" nothing is deleted.\n\nSubscribe again here:\n{page}\n",
            )
        case "active" | "trialing" if before.status in ("past_due", "unpaid", "paused"):
            return Text(
                f"The payment for {tenant} has arrived",
                f"Thank you: what was due for {tenant} is paid, and all goes on.\n\nInvoices are here:\n{page}\n",
            )
    return None
