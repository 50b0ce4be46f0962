"""What all calls in /openapi.json share: headers, errors, credentials, and the texts that no docstring has."""

from typing import Any

from flowchat.services.lists import DEFAULT_LIMIT, MAX_LIMIT

Part = dict[str, Any]

DESCRIPTION = f"""
FlowChat answers questions from your own pages, and checks every sentence before it is shown.

JSON in and out. Ids have a prefix that tells what they are of; times are RFC 3339 in UTC. Errors are
`application/problem+json`. Lists come newest first, {DEFAULT_LIMIT} items to a page and {MAX_LIMIT} at most. Unknown
query parameters and unknown fields of a body are refused.
""".strip()

TAGS = {
    "chat": "Questions of your visitors, answered as a stream of events.",
    "playground": "Trying questions, with everything that leads to their answers.",
    "widget": "What the widget on a page asks for when it opens.",
    "feedback": "What visitors think of answers.",
    "sources": "Crawled sites and sets of uploaded documents, which answers are made from.",
    "versions": "Immutable states of a source: one is live, former ones are kept to roll back to.",
    "pages": "The pages of a version, with what became of each.",
    "documents": "Files that are uploaded instead of crawled.",
    "jobs": "Crawls and other background work.",
    "messages": "The questions and answers of a conversation.",
    "curated_answers": "Your own answers to questions, preferred when they match.",
    "conversations": "What was asked and answered, with the passages and verdicts of each answer.",
    "questions": "Questions that the sources could not answer.",
    "keys": "Widget keys for pages, and secret keys for this API.",
    "usage": "What was done and what of it is billed, by day.",
    "billing": "The plan of the tenant, what is used of it, subscribing and paying.",
    "statistics": "How answers turned out, by day: refusals, verified sentences, times.",
    "meter_events": "Usage on its way to Stripe. Needs the scope `operator`.",
    "webhooks": "Endpoints of yours that FlowChat tells about events.",
    "deliveries": "Attempts to tell an endpoint about an event.",
    "events": "What endpoints are told of.",
    "users": "People who may use a tenant.",
    "audit_log": "Who changed what, when, and from where.",
    "tenant": "The tenant of the key that asks.",
    "tenants": "All tenants of the appliance. Needs the scope `operator`.",
    "plans": "What tenants can subscribe to. Needs the scope `operator`.",
    "signups": "Making an account of one's own, and who waits for theirs.",
    "invites": "Leave to sign up. Needs the scope `operator`.",
    "models": "The models of the appliance. Needs the scope `operator`.",
    "settings": "The settings of the appliance. Needs the scope `operator`.",
}

SECURITY_SCHEMES: Part = {
    "apiKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "A secret API key (`fca_…`) with the scopes `read`, `write` and `billing`, or `operator`.",
    },
    "widgetKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-FlowChat-Key",
        "description": "A widget key (`kbk_live_…` or `kbk_test_…`), which any visitor may see.",
    },
}

_COUNT = {"type": "string", "examples": ['"calls";r=598;t=60']}
HEADERS: Part = {
    "X-Request-Id": {
        "description": "Names the request, here and in the server's log. One that you send is kept.",
        "required": True,
        "schema": {"type": "string", "pattern": r"^[\w.:-]{8,128}$"},
    },
    "RateLimit-Policy": {
        "description": "The limits of this call: `q` requests in `w` seconds (draft-ietf-httpapi-ratelimit-headers).",
        "schema": {"type": "string", "examples": ['"calls";q=600;w=60']},
    },
    "RateLimit": {"description": "What is left: `r` requests now, more in `t` seconds.", "schema": _COUNT},
    "Retry-After": {
        "description": "Seconds to wait before you try again.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Location": {
        "description": "The path of what was made.",
        "required": True,
        "schema": {"type": "string", "pattern": "^/v1/"},
    },
    "Idempotent-Replayed": {
        "description": "There when this is the answer that an earlier request with the key had.",
        "schema": {"enum": ["true"]},
    },
    "WWW-Authenticate": {"description": "Which credential is wanted.", "required": True, "schema": {"type": "string"}},
}
_ON_EVERY = ("X-Request-Id", "RateLimit-Policy", "RateLimit")

PARAMETERS: Part = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A text of your choice, a new one for each thing to be done: a request that is sent again with"
        " it within 24 hours gets the first one's answer, and does nothing twice.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$", "minLength": 1, "maxLength": 255},
    }
}

PROBLEM: Part = {
    "type": "object",
    "description": "What went wrong (RFC 9457). `code` is for programs and stable, `detail` is for people.",
    "required": ["type", "title", "status", "detail", "code", "param", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong and what to do."},
        "code": {"type": "string", "pattern": "^[a-z0-9_]+$"},
        "param": {"type": ["string", "null"], "description": "The field at fault."},
        "request_id": {"type": "string"},
    },
}

_PROBLEMS = {
    400: ("BadRequest", "A field is missing or wrong; `param` names it."),
    401: ("Unauthorized", "The key is missing, unknown, expired or revoked."),
    402: ("PaymentRequired", "The tenant is read-only: its trial is over, or a payment is due. `detail` says which."),
    403: (
        "Forbidden",
        "The key is good, but not for this: its scope, its origins, or its tenant's plan. Or nobody may do this.",
    ),
    404: ("NotFound", "It does not exist, or belongs to another tenant."),
    408: ("RequestTimeout", "The body did not come in time."),
    409: ("Conflict", "The request contradicts the present state."),
    410: (
        "Gone",
        "The answer was stopped: nobody was reading it, a source of it was revoked, or its conversation was erased."
        " Or a link was used before, or has expired.",
    ),
    413: ("TooLarge", "The body is larger than this call takes."),
    415: ("UnsupportedMediaType", "The body has another content type than this call takes."),
    422: ("IdempotencyKeyReused", "The `Idempotency-Key` was sent with another request."),
    429: ("TooManyRequests", "Too many requests in a minute, or a cap or quota is used up."),
    500: ("InternalError", "Something went wrong inside FlowChat; its log tells more under the request id."),
    502: ("BadGateway", "Stripe refuses this."),
    503: ("Unavailable", "The machine is full, restarting, a model is missing, or Stripe can't be reached."),
    504: ("Timeout", "The answer, or Stripe's, took too long."),
    507: ("DiskLow", "The disk is nearly full, so nothing large is begun. What is live goes on answering."),
}
_MORE_HEADERS = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After", 507: "Retry-After"}


def headers(*more: str) -> Part:
    """The headers that every answer has, and these."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*_ON_EVERY, *more)}


def problem(status: int) -> Part:
    return {"$ref": f"#/components/responses/{_PROBLEMS[status][0]}"}


def problem_responses() -> Part:
    """The component of each error status."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        name: {
            "description": description,
            "headers": headers(*filter(None, [_MORE_HEADERS.get(status)])),
            "content": content,
        }
        for status, (name, description) in _PROBLEMS.items()
    }
