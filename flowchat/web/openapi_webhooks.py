"""How /openapi.json describes the events that webhooks are told of, whose data no type of the services does."""

from typing import Any

from flowchat.domain import EventType

Part = dict[str, Any]

_TEXT = {"type": "string"}
_TEXT_OR_NULL = {"type": ["string", "null"]}
_COUNT = {"type": "integer", "minimum": 0}
_SOURCE = {"source": _TEXT, "slug": _TEXT}
_JOB = _SOURCE | {"version": _TEXT_OR_NULL, "job": _TEXT_OR_NULL}
_COUNT_OR_NULL = {"type": ["integer", "null"], "minimum": 0}
_COUNTED = ("done", "total", "fetched", "unchanged", "indexed", "skipped", "failed", "chunks", "embedded")
_COUNTS = dict.fromkeys(_COUNTED, _COUNT)
_CHANGES = dict.fromkeys(("added", "changed", "removed"), _COUNT_OR_NULL)
_FAILED = _JOB | {"status": {"enum": ["failed", "canceled"]}, "error": _TEXT_OR_NULL} | _COUNTS

# name: (when it is sent, its data)
_EVENTS: dict[EventType, tuple[str, Part]] = {
    "source.crawl.completed": ("A crawl has finished.", _JOB | _COUNTS),
    "source.crawl.failed": ("A crawl fetched nothing usable, or was canceled.", _FAILED),
    "source.revoked": ("A source was revoked and no longer answers.", _SOURCE),
    "version.indexed": (
        "A version of a source went live.",
        _JOB | {"number": {"type": "integer", "minimum": 1}, "pages": _COUNT, "chunks": _COUNT} | _CHANGES,
    ),
    "version.failed": ("Indexing what was fetched or uploaded failed, or was canceled.", _FAILED),
    "ping": ("Somebody asked for it, to try an endpoint.", {"message": _TEXT}),
}


def webhooks() -> Part:
    """The section `webhooks`: one request for each type of event."""
    return {name: {"post": _request(name)} for name in _EVENTS}


def _request(name: EventType) -> Part:
    when, data = _EVENTS[name]
    event = {
        "allOf": [{"$ref": "#/components/schemas/Event"}],
        "properties": {
            "type": {"const": name},
            "data": {"type": "object", "required": list(data), "properties": data},
        },
    }
    return {
        "summary": when.rstrip("."),
        "description": f"{when} Sent to the endpoints under `/v1/webhooks` that want it, with a signature.",
        "tags": ["webhooks"],
        "requestBody": {"required": True, "content": {"application/json": {"schema": event}}},
        "responses": {"2XX": {"description": "Received. Any other status is a failure, and the event is sent again."}},
    }
