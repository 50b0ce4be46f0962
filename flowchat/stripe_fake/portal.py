"""The customer portal: what it lets customers do, and sessions that lead there."""

from flowchat.stripe_fake import customers
from flowchat.stripe_fake.calls import Call, given, retrieving
from flowchat.stripe_fake.fields import (
    EXPAND,
    PAGE,
    address,
    flag,
    hash_of,
    list_of,
    merged,
    needed,
    one_of,
    pairs,
    text,
    unset,
)
from flowchat.stripe_fake.lists import page
from flowchat.stripe_fake.refusals import Refusal
from flowchat.stripe_fake.state import Json, State, new_id

_PRORATION = one_of("always_invoice", "create_prorations", "none")
_MISSING = (
    "No configuration provided and your test mode default configuration has not been created. Provide a configuration "
    "or create your default by saving your customer portal settings in test mode at "
    "https://dashboard.stripe.com/test/settings/billing/portal."
)


def add_default(state: State) -> None:
    """As if the portal's settings had been saved in the dashboard, with all of it on."""
    features = {
        "customer_update": {"enabled": True, "allowed_updates": ["email", "name"]},
        "invoice_history": {"enabled": True},
        "payment_method_update": {"enabled": True},
        "subscription_cancel": {"enabled": True},
    }
    _create(state, {"features": features})["is_default"] = True


def _create(state: State, params: Json) -> Json:
    now = state.now()
    configuration = {
        "id": new_id("bpc"),
        "object": "billing_portal.configuration",
        "active": True,
        "application": None,
        "business_profile": _profile(params.get("business_profile", {})),
        "created": now,
        "default_return_url": params.get("default_return_url"),
        "features": _features(params["features"]),
        "is_default": False,
        "livemode": False,
        "login_page": {"enabled": False, "url": None},
        "metadata": params.get("metadata", {}),
        "name": params.get("name"),
        "updated": now,
    }
    state.emit("billing_portal.configuration.created", state.add("configuration", configuration))
    return configuration


def _profile(given: Json) -> Json:
    return {"headline": None, "privacy_policy_url": None, "terms_of_service_url": None, **given}


def _features(given: Json) -> Json:
    """With what Stripe takes for granted where nothing is said."""
    return {
        "customer_update": {"allowed_updates": [], "enabled": False, **given.get("customer_update", {})},
        "invoice_history": {"enabled": False, **given.get("invoice_history", {})},
        "payment_method_update": {
            "enabled": False,
            "payment_method_configuration": None,
            **given.get("payment_method_update", {}),
        },
        "subscription_cancel": {
            "cancellation_reason": {"enabled": False, "feedback_options": None, "options": []},
            "enabled": False,
            "mode": "at_period_end",
            "proration_behavior": "none",
            **given.get("subscription_cancel", {}),
        },
        "subscription_pause": {
            "duration": {"interval_options": [], "type": "indefinite"},
            "enabled": False,
        },
        "subscription_update": {
            "billing_cycle_anchor": None,
            "default_allowed_updates": [],
            "enabled": False,
            "proration_behavior": "none",
            "schedule_at_period_end": {"conditions": []},
            "trial_update_behavior": "end_trial",
        },
    }


def _update(state: State, params: Json) -> Json:
    configuration = state.get("configuration", params["id"])
    features = configuration["features"]
    changes = params.get("features", {})
    with state.changing(configuration, "billing_portal.configuration.updated"):
        configuration.update(given(params, "active", "default_return_url", "name"))
        configuration.update(
            business_profile={**configuration["business_profile"], **params.get("business_profile", {})},
            features={name: {**feature, **changes.get(name, {})} for name, feature in features.items()},
            metadata=merged(configuration["metadata"], params.get("metadata")),
            updated=state.now(),
        )
    return configuration


def _list(state: State, params: Json) -> Json:
    found = [
        configuration
        for configuration in state.all("configuration")
        if params.get("active") in (None, configuration["active"])
        and params.get("is_default") in (None, configuration["is_default"])
    ]
    return page("/v1/billing_portal/configurations", found, params, "configuration")


def _create_session(state: State, params: Json) -> Json:
    customers.living(state, params["customer"], param="customer", status=400)
    configuration = _configuration(state, params.get("configuration"))
    return_url = params.get("return_url", configuration["default_return_url"])
    if not return_url:
        raise Refusal("Missing required param: return_url.", code="parameter_missing", param="return_url")
    ident = new_id("bps")
    session = {
        "id": ident,
        "object": "billing_portal.session",
        "after_expiration": None,
        "configuration": configuration["id"],
        "created": state.now(),
        "customer": params["customer"],
        "customer_account": None,
        "flow": None,
        "livemode": False,
        "locale": params.get("locale"),
        "on_behalf_of": None,
        "return_url": return_url,
        "url": f"{state.base_url}/portal/{ident}",
    }
    state.emit("billing_portal.session.created", state.add("billing_portal.session", session))
    return session


def _configuration(state: State, ident: str | None) -> Json:
    if ident:
        return state.get("configuration", ident, param="configuration", status=400)
    default = next((each for each in state.all("configuration") if each["is_default"]), None)
    if default is None:
        raise Refusal(_MISSING)
    return default


_REASONS = {"enabled": needed(flag), "options": list_of(text)}
_FEATURES = {
    "customer_update": hash_of({"enabled": flag, "allowed_updates": list_of(text)}),
    "invoice_history": hash_of({"enabled": needed(flag)}),
    "payment_method_update": hash_of({"enabled": needed(flag)}),
    "subscription_cancel": hash_of(
        {
            "cancellation_reason": hash_of(_REASONS),
            "enabled": needed(flag),
            "mode": one_of("at_period_end", "immediately"),
            "proration_behavior": _PRORATION,
        }
    ),
}
_PROFILE = {"headline": unset(text), "privacy_policy_url": text, "terms_of_service_url": text}
_FIELDS = {
    "business_profile": hash_of(_PROFILE),
    "default_return_url": unset(address),
    "features": hash_of(_FEATURES),
    "metadata": pairs,
    "name": unset(text),
    **EXPAND,
}
_NEW_SESSION = {"configuration": text, "customer": needed(text), "locale": text, "return_url": address, **EXPAND}
_PATH = "/v1/billing_portal/configurations"
CALLS = (
    Call("POST", _PATH, _create, {**_FIELDS, "features": needed(hash_of(_FEATURES))}),
    Call("GET", _PATH, _list, {**PAGE, "active": flag, "is_default": flag, **EXPAND}),
    Call("GET", f"{_PATH}/<id>", retrieving("configuration"), EXPAND),
    Call("POST", f"{_PATH}/<id>", _update, {**_FIELDS, "active": flag}),
    Call("POST", "/v1/billing_portal/sessions", _create_session, _NEW_SESSION),
)
