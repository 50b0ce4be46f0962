"""Products."""

from flowchat.stripe_fake.calls import Call, given, retrieving
from flowchat.stripe_fake.fields import EXPAND, PAGE, SINCE, flag, list_of, merged, needed, pairs, text, unset
from flowchat.stripe_fake.lists import page
from flowchat.stripe_fake.refusals import Refusal
from flowchat.stripe_fake.state import Json, State, new_id

_PRODUCT = {
    "name": text,
    "active": flag,
    "description": unset(text),
    "metadata": pairs,
    "statement_descriptor": unset(text),
    "unit_label": unset(text),
    "url": unset(text),
}


def _create_product(state: State, params: Json) -> Json:
    ident = params.get("id") or new_id("prod", 14)
    if state.find("product", ident):
        raise Refusal(f"Product already exists: {ident}", code="resource_already_exists", param="id")
    product = {
        "id": ident,
        "object": "product",
        "active": True,
        "created": state.now(),
        "default_price": None,
        "description": None,
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": {},
        "name": "",
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "type": "service",
        "unit_label": None,
        "updated": state.now(),
        "url": None,
        **given(params, *_PRODUCT),
    }
    state.emit("product.created", state.add("product", product))
    return product


def _update_product(state: State, params: Json) -> Json:
    product = state.get("product", params["id"])
    metadata = merged(product["metadata"], params.get("metadata"))
    with state.changing(product, "product.updated"):
        product.update(given(params, *_PRODUCT), metadata=metadata, updated=state.now())
    return product


def _list_products(state: State, params: Json) -> Json:
    found = [product for product in state.all("product") if params.get("active") in (None, product["active"])]
    if "ids" in params:
        found = [product for product in found if product["id"] in params["ids"]]
    return page("/v1/products", found, params, "product")


CALLS = (
    Call("POST", "/v1/products", _create_product, {**_PRODUCT, "id": text, "name": needed(text), **EXPAND}),
    Call("GET", "/v1/products", _list_products, {**PAGE, **SINCE, "active": flag, "ids": list_of(text), **EXPAND}),
    Call("GET", "/v1/products/<id>", retrieving("product"), EXPAND),
    Call("POST", "/v1/products/<id>", _update_product, {**_PRODUCT, **EXPAND}),
)
