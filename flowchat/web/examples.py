"""Example values of the API's schemas: what a field's own examples say, or what its name and type suggest."""

from typing import Any

Schema = dict[str, Any]

_ULID = "01k5q3w8x4j2m6n9p7r1s0t5va"
_PREFIXES = {
    "answer": "cur",
    "conversation": "cnv",
    "curated_answer": "cur",
    "delivery": "del",
    "document": "doc",
    "event": "evt",
    "feedback": "fbk",
    "invite": "inv",
    "job": "job",
    "key": "key",
    "message": "msg",
    "plan": "pln",
    "signup": "sgn",
    "source": "src",
    "tenant": "ten",
    "user": "usr",
    "version": "ver",
    "webhook": "whe",
}
_CODE = "3f9a0c62d7e84b15a1c0f2d94e6b7a58"
_UNUSUAL = {"password", "exclude", "expires_at", "sitemap"}  # not in the usual request
_USUALLY_NULL = {
    "closed_at", "disabled_at", "disabled_reason", "duplicate_of", "email_error", "error", "expires_at",
    "failing_since", "paused_at", "reason", "revoked_at",
}  # fmt: skip
_VALUES: dict[str, Any] = {
    "address": "203.0.113.7",
    "chunk_id": f"chk_{_ULID}",
    "content_type": "application/pdf",
    "conversation_token": "Qb0pWm3yJ5n8vXk2cT7rLs4eHd9aUf1g",
    "currency": "usd",
    "date": "2026-11-20",
    "detail": {},
    "email": "ada@example.com",
    "events": ["version.indexed", "source.crawl.failed"],
    "key": "kbk_live_3f9a0c62d7e84b15a1c0f2d94e6b7a58",
    "exclude": [],
    "former": f"ver_{_ULID}",
    "include": ["/help/*"],
    "last_four": "7a58",
    "live_version": f"ver_{_ULID}",
    "locale": "en",
    "name": "Help centre",
    "origins": ["https://www.example.com"],
    "prefix": "kbk_live_",
    "query": "How long do I have to return an order?",
    "question": "How long do I have to return an order?",
    "answer": "You may return an order within 30 days.",
    "quote": "You may return an order within 30 days.",
    "ref": 1,
    "scopes": ["read", "write"],
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "slug": "help",
    "sources": [f"src_{_ULID}"],
    "title": "Returns",
    "token": "W3sic2lnbnVwIjoic2duXzAxazVxM3c4eDRqMm02bjlwN3IxczB0NXZhIn1d.akB1dg.Zm1hY2Z4",
    "url": "https://www.example.com/help/",
    "visitor_id": "visitor-1234",
    "warnings": [],
}
_WIDGET_KEY = {"type": "widget", "name": "Online shop", "mode": "gate", "scopes": []}
_PRICES = {
    "monthly_fee": "29.00",
    "per_1000_queries": "2.00",
    "per_1000_pages": "0.50",
    "per_million_tokens_in": "0.00",
    "per_million_tokens_out": "0.00",
}
_PLAN = {
    "name": "Business",
    "slug": "pro",
    "description": "For shops with many questions.",
    "features": ["Help by e-mail"],
    "included_queries": 5000,
    "included_pages": 2000,
    "max_sources": 10,
    "overage": "metered",
    "trial_days": 0,
}
_BY_RESOURCE: dict[str, dict[str, Any]] = {
    "Key": _WIDGET_KEY,
    "CreatedKey": _WIDGET_KEY,
    "NewSignUp": {"name": "Acme Ltd"},
    "SignUpReceipt": {"id": f"sgn_{_ULID}", "status": "confirmation_sent"},
    "SignUp": {
        "id": f"sgn_{_ULID}",
        "name": "Acme Ltd",
        "site": "https://www.example.com/",
        "status": "waiting",
        "email_status": "sent",
    },
    "CreatedInvite": {"note": "", "status": "open", "url": f"https://chat.example.com/signup?invite={_CODE}"},
    "Invite": {"note": "", "status": "open"},
    "SignUpLink": {"url": "https://chat.example.com/signup/confirm/W3sic2lnbnVwIjoic2duXzAxa"},
    "Trial": {"plan": "trial", "ends_at": "2026-12-04T09:30:00.000Z"},
    "NewAccount": {
        "widget_key": {"id": f"key_{_ULID}", "key": f"kbk_test_{_CODE}"},
        "admin_key": {"id": f"key_{_ULID}", "key": f"fca_{_CODE}"},
        "sign_in_url": "https://chat.example.com/admin/sign-in",
    },
    "CreatedTenant": {"plan": "pro", "key": "fca_3f9a0c62d7e84b15a1c0f2d94e6b7a58"},
    "Caps": {"daily": 500, "monthly": 10_000},
    "Limits": {"per_minute": 60, "visitor_per_minute": 10},
    "WidgetConfig": {
        "starter_questions": ["Do you ship abroad?"],
        "contact_url": "https://www.example.com/contact",
        "texts": {"title": "Ask the shop"},
    },
    "JobProgress": {
        "done": 426,
        "total": 480,
        "fetched": 414,
        "unchanged": 380,
        "indexed": 412,
        "skipped": 12,
        "failed": 2,
        "chunks": 2310,
        "embedded": 31,
        "pages_per_s": 8.5,
        "remaining_s": 6,
    },
    "SourcePreview": {"start": "https://www.example.com/help/", "in_sitemaps": 120, "found": 164, "problem": None},
    "PreviewPage": {"reason": None, "passages": 6, "status": "indexed"},
    "AnswerDay": {
        "answers": 120,
        "refusals": 9,
        "sentences": 260,
        "verified": 241,
        "first_text_ms": 900,
        "slow_text_ms": 2400,
    },
    "NewPlan": {"slug": "pro"},
    "NewTenant": {"slug": "acme", "plan": "pro"},
    "AnyTenantChange": {"plan": "pro"},
    "Plan": {**_PLAN, "tenants": 3, "is_public": True, "archived_at": None},
    "Prices": _PRICES,
    "PriceFields": _PRICES,
    "Subscription": {
        "status": "active",
        "trial_ends_at": None,
        "past_due_at": None,
        "cancels_at": None,
        "renews_at": "2026-12-01T00:00:00.000Z",
        "managed_by_stripe": True,
    },
    "Offer": _PLAN,
    "Billing": {"currency": "usd"},
    "Quota": {"used": 3120, "included": 5000, "percent": 62, "overage": "metered", "resets_on": "2026-12-01"},
    "SourcesUsed": {"used": 2, "allowed": 10},
    "Standing": {"read_only": False, "reason": "", "read_only_at": None},
    "Tenant": {"plan": "pro"},
    "Version": {"added": 3, "changed": 5, "removed": 1},
    "ChangedText": {
        "id": "pag_0000000000000042",
        "change": "changed",
        "former_title": "Returns",
        "lines_added": 1,
        "lines_removed": 0,
        "passages": [
            {
                "headings": ["Returns", "Time"],
                "lines": [
                    {"change": "unchanged", "text": "You may return an order within 30 days."},
                    {"change": "added", "text": "Gift cards cannot be returned."},
                ],
            }
        ],
    },
    "PageChange": {"id": "pag_0000000000000042", "change": "changed"},
    "Page": {
        "id": "pag_0000000000000042",
        "description": "How to send an order back, and who pays for it.",
        "language": "en",
        "published": "2025-03-14",
        "modified": "2026-11-02",
    },
    "Event": {
        "type": "version.indexed",
        "data": {
            "source": f"src_{_ULID}",
            "slug": "help",
            "version": f"ver_{_ULID}",
            "job": f"job_{_ULID}",
            "number": 2,
            "pages": 40,
            "chunks": 212,
            "added": 3,
            "changed": 5,
            "removed": 1,
        },
    },
}  # what belongs together, of components whose fields would not fit each other


def of_path(name: str) -> str:
    """An id in a path, by its name there."""
    if name == "model":
        return "flowchat-verifier-2"
    if name == "backup":
        return "flowchat-20261120-093000"
    return "help" if name == "source" else f"{_PREFIXES.get(name, name[:3])}_{_ULID}"


def of_schema(schema: Schema, components: dict[str, Schema], *, is_full: bool, name: str = "", of: str = "") -> Any:
    """A value that the schema allows. Objects have what is required and what has examples, or all if `is_full`.

    `name` is the field it is for, `of` the resource that the field belongs to.
    """
    if reference := schema.get("$ref"):
        of = reference.rpartition("/")[2]
        return of_schema(components[of], components, is_full=is_full, name=name, of=of)
    if name in (told := _BY_RESOURCE.get(of, {})):
        return told[name]
    if examples := schema.get("examples"):
        return examples[0]
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if options := schema.get("anyOf"):
        if name in _USUALLY_NULL and {"type": "null"} in options:
            return None
        return of_schema(options[0], components, is_full=is_full, name=name, of=of)
    match schema.get("type"):
        case "object" if "properties" not in schema:
            return {}
        case "array" | "integer" if name in _VALUES:
            return _VALUES[name]
        case "object":
            return _object(schema, components, is_full, of)
        case "array":
            return [of_schema(schema["items"], components, is_full=is_full, name=name.removesuffix("s"), of=of)]
        case "boolean":
            return bool(schema.get("default"))
        case "integer" | "number":
            return schema.get("default") or max(schema.get("minimum", 0), 12)
        case _:
            return _text(name, of)


def _object(schema: Schema, components: dict[str, Schema], is_full: bool, of: str) -> dict[str, Any]:
    required = schema.get("required", [])
    return {
        name: of_schema(field, components, is_full=is_full, name=name, of=of)
        for name, field in schema.get("properties", {}).items()
        if is_full or name in required or (_has_example(field) and name not in _UNUSUAL)
    }


def _has_example(schema: Schema) -> bool:
    return "examples" in schema or any(_has_example(option) for option in schema.get("anyOf", []))


def _text(name: str, of: str) -> Any:
    if name == "id":
        resource = of.removeprefix("Created")
        snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in resource).strip("_")
        return of_path(snake) if snake != "source" else f"src_{_ULID}"
    if name.removesuffix("_id") in _PREFIXES and (name.endswith("_id") or name not in _VALUES):
        return f"{_PREFIXES[name.removesuffix('_id')]}_{_ULID}"
    if name.endswith(("_at", "_until", "_crawl", "_since")):
        return "2026-11-20T09:30:00.000Z"
    return _VALUES.get(name, "text")
