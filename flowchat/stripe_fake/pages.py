"""What people see: Checkout, the customer portal, an invoice, and the start page, which shows what the fake knows."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from quart import Blueprint, Quart, Response, render_template, request

from flowchat.stripe_fake import checkout, dunning, invoices, lifecycle, meter_events, subscribing, subscriptions
from flowchat.stripe_fake.amounts import amount
from flowchat.stripe_fake.api import Api
from flowchat.stripe_fake.faults import Faults
from flowchat.stripe_fake.refusals import Refusal
from flowchat.stripe_fake.state import Json, State

DAY_S = 86400
MONTH_S = 31 * DAY_S
_SHOWN_REQUESTS = 20
_PRESSABLE = ("active", "past_due", "unpaid", "open")  # statuses of what a button of the portal may be about
_WITHOUT_COINS = ("jpy", "krw", "vnd", "clp", "isk", "ugx", "xaf", "xof", "xpf")


class Pages:
    """Every page answers a button with a redirect, so that going back in the browser does nothing twice."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._state = api.state

    def install(self, fake: Quart) -> None:
        fake.jinja_env.filters.update(money=money, moment=moment, price=price_text)
        blueprint = Blueprint("pages", __name__)
        views: dict[str, Callable[..., Awaitable[Response]]] = {
            "/": self.start,
            "/checkout/<ident>": self.checkout,
            "/portal/<ident>": self.portal,
            "/invoices/<ident>": self.invoice,
        }
        for path, view in views.items():
            blueprint.add_url_rule(path, path, view, methods=["GET", "POST"])
        blueprint.register_error_handler(Refusal, _on_refusal)
        fake.register_blueprint(blueprint)

    async def start(self) -> Response:
        """The start page and its buttons."""
        form = await self._begin()
        if form:
            self._press(form)
            return _see_other("/")
        state = self._state
        return await _page(
            "start.html",
            api=self._api,
            now=state.now(),
            customers=[each for each in _newest(state, "customer") if not each.get("deleted")],
            subscriptions=_newest(state, "subscription"),
            invoices=_newest(state, "invoice"),
            totals=meter_events.totals(state),
            requests=list(state.requests)[: -_SHOWN_REQUESTS - 1 : -1],
            undelivered=self._api.deliverer.count_waiting(),
            failing=self._api.deliverer.count_failing(),
        )

    def _press(self, form: Json) -> None:
        match form["do"]:
            case "advance_day":
                lifecycle.advance(self._state, DAY_S)
            case "advance_month":
                lifecycle.advance(self._state, MONTH_S)
            case "outage_on":
                self._api.outage = Faults(rate=1.0, kinds=("timeout_before",), counts=self._api.faults.counts)
            case "outage_off":
                self._api.outage = None
            case "fail":
                self._state.declining.add(self._state.get("customer", form.get("customer", ""))["id"])
            case "mend":
                self._state.declining.discard(form.get("customer", ""))
            case other:
                raise Refusal(f"There is no button '{other}'.")

    async def checkout(self, ident: str) -> Response:
        form = await self._begin()
        session = self._state.get("checkout.session", ident)
        if form and session["status"] == "open":
            checkout.complete(self._state, session)
            if form["do"] == "pay_then_fail":
                self._state.declining.add(session["customer"])
            return _see_other(session["success_url"].replace("{CHECKOUT_SESSION_ID}", ident))
        wish = self._state.wishes[ident]
        return await _page(
            "checkout.html",
            session["success_url"],
            session=session,
            prices=[each["price"] for each in wish["wanted"]],
            due=checkout.due_now(self._state, session) if session["status"] == "open" else session["amount_total"],
        )

    async def portal(self, ident: str) -> Response:
        form = await self._begin()
        state = self._state
        session = state.get("billing_portal.session", ident)
        customer = state.get("customer", session["customer"])
        features = state.get("configuration", session["configuration"])["features"]
        if form:
            self._press_in_portal(form, customer, features)
            return _see_other(f"/portal/{ident}")
        owned = [each for each in _newest(state, "subscription") if each["customer"] == customer["id"]]
        return await _page(
            "portal.html",
            customer=customer,
            features=features,
            subscriptions=owned,
            period_end=lambda subscription: subscribing.period_of(subscription)[1],
            invoices=[each for each in _newest(state, "invoice") if each["customer"] == customer["id"]],
            is_declining=customer["id"] in state.declining,
            return_url=session["return_url"],
        )

    def _press_in_portal(self, form: Json, customer: Json, features: Json) -> None:
        state = self._state
        match form["do"]:
            case "cancel":
                self._cancel(self._owned("subscription", form, customer), features["subscription_cancel"]["mode"])
            case "resume":
                subscription = self._owned("subscription", form, customer)
                with state.changing(subscription, "customer.subscription.updated"):
                    subscriptions.set_end(state, subscription, None)
            case "mend":
                state.declining.discard(customer["id"])
            case "fail":
                state.declining.add(customer["id"])
            case "pay":
                self._pay(self._owned("invoice", form, customer))
            case other:
                raise Refusal(f"There is no button '{other}'.")

    def _owned(self, kind: str, form: Json, customer: Json) -> Json:
        """The one that a button is about; where it does not say, the newest that is still going on or owed."""
        if kind in form:
            found: Json | None = self._state.get(kind, form[kind])
        else:
            owned = (each for each in _newest(self._state, kind) if each["customer"] == customer["id"])
            found = next((each for each in owned if each["status"] in _PRESSABLE), None)
        if found is None or found["customer"] != customer["id"]:
            raise Refusal(f"This customer has no such {kind}.", status=404)
        return found

    def _cancel(self, subscription: Json, mode: str) -> None:
        """At the end of the period as Stripe's portal does it: by `cancel_at`, in its flexible billing mode."""
        if mode == "immediately":
            dunning.cancel(self._state, subscription, "cancellation_requested")
            return
        with self._state.changing(subscription, "customer.subscription.updated"):
            subscriptions.set_end(self._state, subscription, subscribing.period_of(subscription)[1])

    def _pay(self, invoice: Json) -> None:
        if invoice["status"] == "open":
            invoices.collect(self._state, invoice)

    async def invoice(self, ident: str) -> Response:
        form = await self._begin()
        invoice = self._state.get("invoice", ident)
        if form:
            self._pay(invoice)
            return _see_other(f"/invoices/{ident}")
        return await _page("invoice.html", invoice=invoice, is_declining=invoice["customer"] in self._state.declining)

    async def _begin(self) -> Json:
        """What happened meanwhile, and which button was pressed: {} for none."""
        lifecycle.catch_up(self._state)
        self._state.base_url = request.host_url.rstrip("/")
        self._api.deliverer.wake()
        if request.method == "GET":
            return {}
        return {"do": "", **(await request.form).to_dict()}


def _newest(state: State, kind: str) -> list[Json]:
    return state.all(kind)[::-1]


def _see_other(url: str) -> Response:
    return Response("", 303, headers={"Location": url})


async def _page(template: str, leads_to: str = "", **fields: object) -> Response:
    """`leads_to`: where a button's answer sends the browser on to, which the policy has to allow."""
    response = Response(await render_template(f"stripe_fake/{template}", **fields), content_type="text/html")
    allowed = "/".join(leads_to.split("/")[:3])
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self' {allowed}".strip()
    )
    return response


async def _on_refusal(refusal: Refusal) -> Response:
    response = await _page("message.html", message=refusal.error["message"])
    response.status_code = refusal.status
    return response


def money(coins: int, currency: str) -> str:
    places = 0 if currency in _WITHOUT_COINS else 2
    return f"{coins / 10**places:,.{places}f} {currency.upper()}"


def moment(unix: int | None) -> str:
    return "" if unix is None else f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M} UTC"


def price_text(price: Json) -> str:
    """What it costs, for people."""
    coins = price["currency"].upper() + (" cents" if price["currency"] not in _WITHOUT_COINS else "")
    if price["billing_scheme"] == "tiered":
        below, parts = 0, []
        for tier in price["tiers"]:
            span = f"from {below + 1:,} on" if tier["up_to"] is None else f"{below + 1:,} to {tier['up_to']:,}"
            parts.append(f"{span}: {tier['unit_amount_decimal'] or 0} {coins} each")
            below = tier["up_to"] or below
        return "; ".join(parts)
    if price["recurring"]["usage_type"] == "metered":
        return f"{price['unit_amount_decimal']} {coins} each"
    return f"{money(amount(price, 1), price['currency'])} a {price['recurring']['interval']}"
