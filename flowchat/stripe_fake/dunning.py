"""What a payment that fails, or works again, makes of a subscription."""

from flowchat.stripe_fake.state import Json, State

DAY_S = 86400


def after_failure(state: State, invoice: Json) -> None:
    """Past due at first; after the last attempt what the account's settings say."""
    days = state.behaviour.retry_days
    attempts = invoice["attempt_count"]
    is_over = attempts > len(days)
    invoice["next_payment_attempt"] = None if is_over else state.now() + int(days[attempts - 1] * DAY_S)
    invoice["auto_advance"] = not is_over
    state.emit("invoice.payment_failed", invoice)
    state.emit("invoice.updated", invoice)
    _set_delinquent(state, invoice, is_delinquent=True)
    subscription = _subscription(state, invoice)
    if subscription is None:
        return
    if not is_over:
        _set_status(state, subscription, "past_due")
    elif state.behaviour.after_retries == "cancel":
        cancel(state, subscription, "payment_failed")
    else:
        _set_status(state, subscription, state.behaviour.after_retries)


def after_payment(state: State, invoice: Json) -> None:
    """Active again, once nothing of it is owed."""
    subscription = _subscription(state, invoice)
    if subscription is None:
        return
    owed = any(
        each["status"] == "open" and each["parent"]["subscription_details"]["subscription"] == subscription["id"]
        for each in state.all("invoice")
    )
    if not owed:
        _set_delinquent(state, invoice, is_delinquent=False)
        _set_status(state, subscription, "active")


def cancel(state: State, subscription: Json, reason: str) -> None:
    """At once and for good. What is owed stays so, but is no longer collected."""
    subscription.update(
        canceled_at=subscription["canceled_at"] or state.now(),
        cancellation_details={**subscription["cancellation_details"], "reason": reason},
        ended_at=state.now(),
        status="canceled",
    )
    for invoice in state.all("invoice"):
        if (
            invoice["status"] == "open"
            and invoice["parent"]["subscription_details"]["subscription"] == subscription["id"]
        ):
            invoice.update(auto_advance=False, next_payment_attempt=None)
    state.emit("customer.subscription.deleted", subscription)


def _subscription(state: State, invoice: Json) -> Json | None:
    """The invoice's, unless it has ended."""
    found = state.find("subscription", invoice["parent"]["subscription_details"]["subscription"])
    return None if found is None or found["status"] == "canceled" else found


def _set_status(state: State, subscription: Json, status: str) -> None:
    with state.changing(subscription, "customer.subscription.updated"):
        subscription["status"] = status


def _set_delinquent(state: State, invoice: Json, *, is_delinquent: bool) -> None:
    customer = state.get("customer", invoice["customer"])
    with state.changing(customer, "customer.updated"):
        customer["delinquent"] = is_delinquent
