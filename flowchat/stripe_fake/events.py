"""Events, and where they are sent to: webhook endpoints, and event destinations for those without contents (thin)."""

from flowchat.stripe_fake.calls import Call, given, retrieving
from flowchat.stripe_fake.fields import (
    EXPAND,
    PAGE,
    SINCE,
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
    whole,
)
from flowchat.stripe_fake.lists import page
from flowchat.stripe_fake.refusals import Refusal, missing
from flowchat.stripe_fake.state import API_VERSION, Json, State, new_id, timestamp

KEPT_DAYS = 30
THIN_TYPES = ("v1.billing.meter.error_report_triggered",)
_ENDPOINT = {"description": unset(text), "enabled_events": list_of(text), "metadata": pairs, "url": address}
_SECRET = "webhook_endpoint.signing_secret"  # noqa: S105 (the name of a field)
_URL = "webhook_endpoint.url"


def create_endpoint(state: State, params: Json) -> Json:
    """Its secret is shown this once."""
    if not params["enabled_events"]:
        raise Refusal("Invalid array: enabled_events must not be empty", param="enabled_events")
    endpoint = {
        "id": new_id("we"),
        "object": "webhook_endpoint",
        "api_version": params.get("api_version"),
        "application": None,
        "created": state.now(),
        "description": None,
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        **given(params, *_ENDPOINT),
    }
    state.add("webhook_endpoint", endpoint)
    secret = state.secrets[endpoint["id"]] = params.get("secret") or new_id("whsec", 32)
    return {**endpoint, "secret": secret}


def _update_endpoint(state: State, params: Json) -> Json:
    endpoint = state.get("webhook_endpoint", params["id"])
    metadata = merged(endpoint["metadata"], params.get("metadata"))
    endpoint.update(given(params, *_ENDPOINT), metadata=metadata)
    if "disabled" in params:
        endpoint["status"] = "disabled" if params["disabled"] else "enabled"
    return endpoint


def _delete_endpoint(state: State, params: Json) -> Json:
    endpoint = state.get("webhook_endpoint", params["id"])
    del state.objects["webhook_endpoint"][endpoint["id"]]
    return {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}


def _list_endpoints(state: State, params: Json) -> Json:
    return page("/v1/webhook_endpoints", state.all("webhook_endpoint"), params, "webhook_endpoint")


def create_destination(state: State, params: Json) -> Json:
    """Its secret is shown this once, to who asks for it."""
    url = params.get("webhook_endpoint", {}).get("url")
    if url is None:
        raise Refusal(
            "Missing required param: webhook_endpoint.url.", code="parameter_missing", param="webhook_endpoint"
        )
    unknown = [name for name in params["enabled_events"] if name not in ("*", *THIN_TYPES)]
    if params["event_payload"] == "thin" and unknown:
        message = f"The fake of Stripe knows no thin event '{unknown[0]}'."
        raise Refusal(message, code="invalid_event_type", param="enabled_events")
    destination = {
        "id": new_id("ed_test", 26),
        "object": "v2.core.event_destination",
        "created": timestamp(state.now()),
        "description": params.get("description", ""),
        "enabled_events": params["enabled_events"],
        "event_payload": params["event_payload"],
        "events_from": ["self"],
        "livemode": False,
        "metadata": params.get("metadata", {}),
        "name": params["name"],
        "snapshot_api_version": API_VERSION if params["event_payload"] == "snapshot" else None,
        "status": "enabled",
        "status_details": None,
        "type": "webhook_endpoint",
        "updated": timestamp(state.now()),
        "webhook_endpoint": {"signing_secret": None, "url": url},
    }
    state.add("event_destination", destination)
    secret = state.secrets[destination["id"]] = params.get("secret") or new_id("whsec_test", 32)
    return _with(destination, params.get("include", ()), secret)


def _with(destination: Json, include: list[str], secret: str) -> Json:
    webhook = {
        "signing_secret": secret if _SECRET in include else None,
        "url": destination["webhook_endpoint"]["url"] if _URL in include else None,
    }
    return {**destination, "webhook_endpoint": webhook}


def _get_destination(state: State, params: Json) -> Json:
    return _with(state.get("event_destination", params["id"]), params.get("include", ()), "")


def _list_destinations(state: State, params: Json) -> Json:
    found = [_with(each, params.get("include", ()), "") for each in reversed(state.all("event_destination"))]
    return _second_page(found, params)


def _delete_destination(state: State, params: Json) -> Json:
    destination = state.get("event_destination", params["id"])
    del state.objects["event_destination"][destination["id"]]
    return {"id": destination["id"], "object": "v2.core.event_destination"}


def _second_page(found: list[Json], params: Json) -> Json:
    """A list as the API's second version has it; only its first page."""
    return {"data": found[: params.get("limit", 20)], "next_page_url": None, "previous_page_url": None}


def _get_event(state: State, params: Json) -> Json:
    event = state.events.get(params["id"])
    if event is None or event["created"] < state.now() - KEPT_DAYS * 86400:
        raise missing("event", params["id"])
    return event


def _list_events(state: State, params: Json) -> Json:
    oldest = state.now() - KEPT_DAYS * 86400
    wanted = params.get("types") or ([params["type"]] if "type" in params else None)
    found = [
        event
        for event in state.events.values()
        if event["created"] >= oldest and (wanted is None or _matches(event["type"], wanted))
    ]
    return page("/v1/events", found, params, "event")


def _matches(name: str, wanted: list[str]) -> bool:
    """`invoice.*` is all of them that begin so."""
    return any(name == each or (each.endswith("*") and name.startswith(each[:-1])) for each in wanted)


def wants(receiver: Json, name: str) -> bool:
    return receiver["status"] == "enabled" and _matches(name, receiver["enabled_events"])


def _get_thin(state: State, params: Json) -> Json:
    event = state.thin_events.get(params["id"])
    if event is None:
        raise Refusal(f"No such event: '{params['id']}'", code="not_found", status=404)
    return event


def _list_thin(state: State, params: Json) -> Json:
    wanted, about = params.get("types"), params.get("object_id")
    found = [
        event
        for event in reversed(state.thin_events.values())
        if about in (None, event["related_object"]["id"]) and (wanted is None or event["type"] in wanted)
    ]
    return _second_page(found, params)


_NEW_ENDPOINT = {
    **_ENDPOINT,
    "api_version": text,
    "enabled_events": needed(list_of(text)),
    "url": needed(address),
    **EXPAND,
}
_NEW_DESTINATION = {
    "description": text,
    "enabled_events": needed(list_of(text)),
    "event_payload": needed(one_of("snapshot", "thin")),
    "include": list_of(one_of(_SECRET, _URL)),
    "metadata": pairs,
    "name": needed(text),
    "type": needed(one_of("webhook_endpoint")),
    "webhook_endpoint": hash_of({"url": needed(address)}),
}
CALLS = (
    Call("POST", "/v1/webhook_endpoints", create_endpoint, _NEW_ENDPOINT),
    Call("GET", "/v1/webhook_endpoints", _list_endpoints, {**PAGE, **EXPAND}),
    Call("GET", "/v1/webhook_endpoints/<id>", retrieving("webhook_endpoint"), EXPAND),
    Call("POST", "/v1/webhook_endpoints/<id>", _update_endpoint, {**_ENDPOINT, "disabled": flag, **EXPAND}),
    Call("DELETE", "/v1/webhook_endpoints/<id>", _delete_endpoint, EXPAND),
    Call("GET", "/v1/events", _list_events, {**PAGE, **SINCE, "type": text, "types": list_of(text), **EXPAND}),
    Call("GET", "/v1/events/<id>", _get_event, EXPAND),
    Call("POST", "/v2/core/event_destinations", create_destination, _NEW_DESTINATION),
    Call("GET", "/v2/core/event_destinations", _list_destinations, {"limit": whole, "include": list_of(text)}),
    Call("GET", "/v2/core/event_destinations/<id>", _get_destination, {"include": list_of(text)}),
    Call("DELETE", "/v2/core/event_destinations/<id>", _delete_destination, {}),
    Call("GET", "/v2/core/events", _list_thin, {"limit": whole, "object_id": text, "types": list_of(text)}),
    Call("GET", "/v2/core/events/<id>", _get_thin, {}),
)
