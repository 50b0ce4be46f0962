"""How /openapi.json describes the chat stream, which no type of the services does."""

from typing import Any

Part = dict[str, Any]

_TEXT = {"type": "string"}
_REF = {"type": "integer", "minimum": 1}
_CHUNK = {
    "type": "object",
    "required": ["id", "url", "score"],
    "properties": {
        "id": _TEXT,
        "url": _TEXT,
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "title": _TEXT,
        "heading": _TEXT,
        "quote": _TEXT,
    },
}
_SUGGESTION = {"type": "object", "required": ["url", "title"], "properties": {"url": _TEXT, "title": _TEXT}}

# name: (when it comes, its required data, its other data)
EVENTS: dict[str, tuple[str, Part, Part]] = {
    "retrieval.started": ("At once, before any model runs.", {"query": _TEXT}, {}),
    "retrieval.reranked": ("Once, best passage first.", {"chunks": {"type": "array", "items": _CHUNK}}, {}),
    "generation.token": ("A piece of the answer; joined they are exactly the answer.", {"text": _TEXT}, {}),
    "generation.cited": ("After a sentence: a passage that it cites.", {"ref": _REF, "chunkId": _TEXT}, {}),
    "nli.verified": (
        "After a sentence: the verdict on it. With `ok` false and a `chunkId`, a sentence was held back.",
        {"ref": _REF, "ok": {"type": "boolean"}},
        {"score": {"type": "number"}, "evidence": _TEXT, "chunkId": _TEXT},
    ),
    "error": ("A failure after the stream began.", {"code": _TEXT, "message": _TEXT}, {}),
    "stream.done": (
        "Always last, exactly once.",
        {"refusal": {"type": "boolean"}},
        {
            "reason": {"type": ["string", "null"]},
            "conversation_id": _TEXT,
            "conversation_token": _TEXT,
            "message_id": _TEXT,
            "suggestions": {"type": "array", "items": _SUGGESTION},
            "usage": {"type": "object"},
        },
    ),
}

_EXAMPLE = """id: 1
event: retrieval.started
data: {"query":"How long do I have to return an order?"}

id: 2
event: retrieval.reranked
data: {"chunks":[{"id":"chk_01k5","url":"https://www.example.com/help/returns#time","score":0.97}]}

id: 3
event: generation.token
data: {"text":"You may return an order within 30 days."}

id: 4
event: generation.cited
data: {"ref":1,"chunkId":"chk_01k5"}

id: 5
event: nli.verified
data: {"ref":1,"ok":true}

id: 6
event: stream.done
data: {"refusal":false}

"""

LAST_EVENT_ID: Part = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The id of the last event that you have, to go on after it.",
    "schema": _TEXT,
}


def event_stream() -> Part:
    """The media type `text/event-stream`: the schema is that of each event."""
    return {
        "schema": {"description": "Each event of the stream.", "oneOf": [_event(name) for name in EVENTS]},
        "examples": {"answer": {"value": _EXAMPLE}},
    }


def _event(name: str) -> Part:
    when, required, optional = EVENTS[name]
    data = {"type": "object", "required": list(required), "properties": required | optional}
    return {
        "type": "object",
        "description": when,
        "required": ["id", "event", "data"],
        "properties": {
            "id": {"type": "string", "pattern": "^[0-9]+$"},
            "event": {"const": name},
            "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": data},
        },
    }
