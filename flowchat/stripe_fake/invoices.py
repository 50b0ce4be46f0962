"""Invoices: drafts, which usage is still counted in, then what is owed, then what is paid or not."""

from flowchat.stripe_fake import amounts, customers, dunning, meters, shapes
from flowchat.stripe_fake.calls import Call, retrieving
from flowchat.stripe_fake.fields import EXPAND, PAGE, SINCE, flag, one_of, text
from flowchat.stripe_fake.lists import page
from flowchat.stripe_fake.refusals import Refusal
from flowchat.stripe_fake.state import Json, State, Usage, new_id


def draft(
    state: State, subscription: Json, reason: str, lines: list[Json], usage: list[Usage], period: tuple[int, int]
) -> Json:
    """A new one. What it is about `usage` is counted anew when it is finalized."""
    customer = state.get("customer", subscription["customer"])
    lines = [*lines, *(_usage_line(state, customer["id"], each) for each in usage)]
    invoice = shapes.invoice(subscription, customer, reason, lines, period, state.now())
    _sum_up(state, invoice)
    state.usage_of[invoice["id"]] = usage
    state.emit("invoice.created", state.add("invoice", invoice))
    return invoice


def _usage_line(state: State, customer: str, usage: Usage) -> Json:
    price = usage.item["price"]
    quantity = usage_quantity(state, customer, price, usage.start, usage.end)
    cost = amounts.amount(price, quantity)
    return amounts.line(usage.item, price, quantity, cost, (usage.start, usage.end))


def usage_quantity(state: State, customer: str, price: Json, start: int, end: int) -> int:
    """What the price's meter has of the customer in that time."""
    meter = state.get("meter", price["recurring"]["meter"])
    return meters.aggregated(meter, meters.counted(state, meter, customer, start, end))


def _sum_up(state: State, invoice: Json) -> None:
    total = sum(each["amount"] for each in invoice["lines"]["data"])
    balance = state.get("customer", invoice["customer"])["balance"]
    due = max(0, total + balance)
    invoice.update(
        amount_due=due,
        amount_remaining=due,
        starting_balance=balance,
        subtotal=total,
        subtotal_excluding_tax=total,
        total=total,
        total_excluding_tax=total,
    )


def finalize(state: State, invoice: Json) -> None:
    """From now on nothing of it changes; it is owed, and collected at once."""
    customer = state.get("customer", invoice["customer"])
    lines = invoice["lines"]["data"]
    for usage in state.usage_of.pop(invoice["id"], []):
        counted = _usage_line(state, customer["id"], usage)
        old = next(each for each in lines if _is_about(each, usage))
        old.update(
            {name: counted[name] for name in ("amount", "description", "quantity", "quantity_decimal", "subtotal")}
        )
    _sum_up(state, invoice)
    sequence = customer["next_invoice_sequence"]
    customer.update(balance=min(0, invoice["total"] + invoice["starting_balance"]), next_invoice_sequence=sequence + 1)
    invoice.update(
        automatically_finalizes_at=None,
        effective_at=state.now(),
        ending_balance=customer["balance"],
        hosted_invoice_url=f"{state.base_url}/invoices/{invoice['id']}",
        number=f"{customer['invoice_prefix']}-{sequence:04}",
        status="open",
        status_transitions={**invoice["status_transitions"], "finalized_at": state.now()},
    )
    state.emit("invoice.finalized", invoice)
    collect(state, invoice)


def _is_about(line: Json, usage: Usage) -> bool:
    details = line["parent"]["subscription_item_details"]
    return bool(
        details["subscription_item"] == usage.item["id"]
        and line["pricing"]["price_details"]["price"] == usage.item["price"]["id"]
        and line["period"] == {"start": usage.start, "end": usage.end}
    )


def collect(state: State, invoice: Json) -> bool:
    """Try to get what is owed; says whether it worked."""
    needs_payment = invoice["amount_remaining"] > 0
    if needs_payment:
        invoice.update(attempted=True, attempt_count=invoice["attempt_count"] + 1)
    if needs_payment and invoice["customer"] in state.declining:
        dunning.after_failure(state, invoice)
        return False
    _settle(state, invoice)
    return True


def _settle(state: State, invoice: Json) -> None:
    paid = invoice["amount_remaining"]
    invoice.update(
        amount_paid=paid,
        amount_remaining=0,
        attempted=True,
        next_payment_attempt=None,
        status="paid",
        status_transitions={**invoice["status_transitions"], "paid_at": state.now()},
    )
    if paid:
        invoice["payments"]["data"].append(_payment(state, invoice, paid))
    for name in ("invoice.paid", "invoice.payment_succeeded"):
        state.emit(name, invoice)
    dunning.after_payment(state, invoice)


def _payment(state: State, invoice: Json, paid: int) -> Json:
    return {
        "id": new_id("inpay"),
        "object": "invoice_payment",
        "amount_paid": paid,
        "amount_requested": paid,
        "created": state.now(),
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"payment_intent": new_id("pi"), "type": "payment_intent"},
        "status": "paid",
        "status_transitions": {"canceled_at": None, "paid_at": state.now()},
    }


def subscription_of(invoice: Json) -> str:
    ident: str = invoice["parent"]["subscription_details"]["subscription"]
    return ident


def _pay(state: State, params: Json) -> Json:
    invoice = state.get("invoice", params["id"])
    if invoice["status"] == "paid":
        raise Refusal("Invoice is already paid")
    if invoice["status"] != "open":
        raise Refusal(f"This invoice can't be paid: its status is {invoice['status']}.")
    if not collect(state, invoice):
        message = "Your card was declined."
        raise Refusal(message, code="card_declined", status=402, kind="card_error")
    return invoice


def _list(state: State, params: Json) -> Json:
    if "customer" in params:
        customers.living(state, params["customer"], param="customer", status=400)
    found = [
        invoice
        for invoice in state.all("invoice")
        if params.get("customer") in (None, invoice["customer"])
        and params.get("status") in (None, invoice["status"])
        and params.get("subscription") in (None, subscription_of(invoice))
    ]
    return page("/v1/invoices", found, params, "invoice")


def _list_lines(state: State, params: Json) -> Json:
    lines = state.get("invoice", params["id"])["lines"]
    return page(lines["url"], reversed(lines["data"]), params, "line_item")


_STATUSES = ("draft", "open", "paid", "uncollectible", "void")
CALLS = (
    Call(
        "GET",
        "/v1/invoices",
        _list,
        {**PAGE, **SINCE, "customer": text, "status": one_of(*_STATUSES), "subscription": text, **EXPAND},
    ),
    Call("GET", "/v1/invoices/<id>", retrieving("invoice"), EXPAND),
    Call("GET", "/v1/invoices/<id>/lines", _list_lines, {**PAGE, **EXPAND}),
    Call("POST", "/v1/invoices/<id>/pay", _pay, {"off_session": flag, **EXPAND}),
)
