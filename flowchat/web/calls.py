"""The REST API: which call does which operation. Handlers, /openapi.json and /docs/api are made from this table."""

import inspect
import re
import typing
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

from flowchat.services import (  # noqa: F401 (importing a service registers its operations)
    audit_log,
    billing,
    billing_checkout,
    chat,
    conversations,
    curated_answers,
    documents,
    events,
    feedback,
    invites,
    jobs,
    keys,
    meter_events,
    models,
    owners,
    pages,
    plans,
    playground,
    questions,
    reconciliation,
    settings_list,
    signups,
    source_preview,
    sources,
    statistics,
    tenants,
    usage,
    users,
    versions,
    webhooks,
)
from flowchat.services.lists import Listed
from flowchat.services.new_accounts import NewAccount
from flowchat.services.operations import OPERATIONS, Operation
from flowchat.services.views.chat import AnswerView
from flowchat.services.views.content import (
    ChangedTextView,
    DocumentView,
    PageChangeView,
    PageView,
    UploadedView,
    VersionView,
)
from flowchat.services.views.conversations import (
    ConversationView,
    ErasedView,
    FeedbackView,
    MessageView,
    QuestionGroupView,
    WholeConversationView,
)
from flowchat.services.views.curated_answers import CuratedAnswerView
from flowchat.services.views.keys import CreatedKeyView, KeyView, WidgetView
from flowchat.services.views.machine import ModelView, SettingView
from flowchat.services.views.plans import BillingView, PlanView
from flowchat.services.views.playground import PlaygroundAnswerView
from flowchat.services.views.signups import (
    CreatedInviteView,
    InviteView,
    NewAccountView,
    SignUpLinkView,
    SignUpReceiptView,
    SignUpView,
)
from flowchat.services.views.sources import CreatedSourceView, JobView, SourcePreviewView, SourceView
from flowchat.services.views.statistics import StatisticsView
from flowchat.services.views.stripe import DestinationView, MeterEventView, PlanChangeView, ReconciliationView
from flowchat.services.views.tenants import CreatedTenantView, TenantView
from flowchat.services.views.usage import UsageView
from flowchat.services.views.users import AuditEntryView, InvitationView, UserView
from flowchat.services.views.webhooks import CreatedWebhookView, DeliveryView, EventView, WebhookView

Method = Literal["GET", "POST", "PATCH", "DELETE"]
_ID = re.compile(r"{(\w+)}")


class View(Protocol):
    """A class of `services.views`: what a client sees of what an operation returned."""

    @classmethod
    def of(cls, result: Any, /) -> Any: ...


@dataclass(frozen=True)
class AtOnce:
    """How a call renders results of that type: what others have to wait for was made (201)."""

    result: type
    view: type[View]
    status: int = 201


@dataclass(frozen=True)
class Call:
    """`view` None: no body (204). `location` is the path of what was made, with the path's ids and fields of the view
    in braces. `problems` are statuses beyond those that every call of its kind can have.
    """

    method: Method
    path: str
    operation_name: str
    view: type[View] | None = None
    status: int = 200
    location: str | None = None
    problems: tuple[int, ...] = ()
    at_once: AtOnce | None = None

    @property
    def operation(self) -> Operation:
        return OPERATIONS[self.operation_name]

    @property
    def is_for_visitors(self) -> bool:
        return self.operation.caller == "visitor"

    @property
    def is_for_anyone(self) -> bool:
        """Whether it takes no credential."""
        return self.operation.caller == "anyone"

    @property
    def ids(self) -> list[str]:
        """The names in the path, in their order."""
        return _ID.findall(self.path)

    @property
    def has_body(self) -> bool:
        """Whether the request's fields come in a body, not in the query."""
        return self.method in ("POST", "PATCH") and self.request_type is not None

    @cached_property
    def request_type(self) -> type | None:
        """The dataclass or struct that the query or the body is read into."""
        function = inspect.unwrap(self.operation.function)
        names = list(inspect.signature(function).parameters)[2 + len(self.ids) :]
        return typing.get_type_hints(function)[names[0]] if names else None

    @property
    def is_list(self) -> bool:
        """Whether it returns a page of a list."""
        returned = typing.get_type_hints(inspect.unwrap(self.operation.function)).get("return")
        return typing.get_origin(returned) is Listed


_DOCUMENTS = "/v1/sources/{source}/documents"
_DELIVERY = "/v1/webhooks/{webhook}/deliveries/{id}"
_OF_STRIPE = (409, 502, 503, 504)

CALLS = (
    Call("GET", "/v1/sources", "sources.list", SourceView),
    Call("POST", "/v1/sources", "sources.create", CreatedSourceView, 201, "/v1/sources/{id}", (409, 507)),
    Call("POST", "/v1/sources/preview", "sources.preview", SourcePreviewView, problems=(409, 503)),
    Call("GET", "/v1/sources/{source}", "sources.get", SourceView),
    Call("PATCH", "/v1/sources/{source}", "sources.update", SourceView, problems=(409,)),
    Call("DELETE", "/v1/sources/{source}", "sources.delete", None, 204),
    Call("POST", "/v1/sources/{source}/recrawl", "sources.recrawl", JobView, 202, "/v1/jobs/{id}", (409, 507)),
    Call("POST", "/v1/sources/{source}/revoke", "sources.revoke", SourceView),
    Call("GET", "/v1/sources/{source}/versions", "versions.list", VersionView),
    Call("GET", "/v1/sources/{source}/versions/{version}", "versions.get", VersionView),
    Call("POST", "/v1/sources/{source}/versions/{version}/activate", "versions.activate", VersionView, problems=(409,)),
    Call("GET", "/v1/sources/{source}/versions/{version}/changes", "versions.changes", PageChangeView, problems=(409,)),
    Call(
        "GET",
        "/v1/sources/{source}/versions/{version}/changes/{page}",
        "versions.diff",
        ChangedTextView,
        problems=(409,),
    ),
    Call("GET", "/v1/sources/{source}/pages", "pages.list", PageView),
    Call("GET", "/v1/sources/{source}/documents", "documents.list", DocumentView),
    Call("POST", _DOCUMENTS, "documents.create", UploadedView, 201, _DOCUMENTS, (409, 507)),
    Call("GET", "/v1/sources/{source}/documents/{document}", "documents.get", DocumentView),
    Call("DELETE", "/v1/sources/{source}/documents/{document}", "documents.delete", None, 204, problems=(409,)),
    Call("GET", "/v1/jobs", "jobs.list", JobView, problems=(404,)),
    Call("GET", "/v1/jobs/{job}", "jobs.get", JobView),
    Call("POST", "/v1/jobs/{job}/cancel", "jobs.cancel", JobView, problems=(409,)),
    Call("POST", "/v1/jobs/{job}/pause", "jobs.pause", JobView, problems=(409,)),
    Call("POST", "/v1/jobs/{job}/resume", "jobs.resume", JobView, problems=(409,)),
    Call("POST", "/v1/chat", "chat.ask", AnswerView, problems=(404, 410, 500, 503, 504)),
    Call("POST", "/v1/playground", "playground.ask", PlaygroundAnswerView, problems=(404, 410, 500, 503, 504)),
    Call("GET", "/v1/widget", "widget.config", WidgetView),
    Call("GET", "/v1/keys", "keys.list", KeyView),
    Call("POST", "/v1/keys", "keys.create", CreatedKeyView, 201, "/v1/keys/{id}", (404, 409)),
    Call("GET", "/v1/keys/{key}", "keys.get", KeyView),
    Call("PATCH", "/v1/keys/{key}", "keys.update", KeyView, problems=(409,)),
    Call("POST", "/v1/keys/{key}/rotate", "keys.rotate", CreatedKeyView, 201, "/v1/keys/{id}"),
    Call("POST", "/v1/keys/{key}/revoke", "keys.revoke", KeyView),
    Call("GET", "/v1/conversations", "conversations.list", ConversationView, problems=(404,)),
    Call("DELETE", "/v1/conversations", "conversations.erase", ErasedView),
    Call("GET", "/v1/conversations/{conversation}", "conversations.get", WholeConversationView),
    Call("DELETE", "/v1/conversations/{conversation}", "conversations.delete", None, 204),
    Call("GET", "/v1/conversations/{conversation}/messages", "messages.list", MessageView),
    Call("POST", "/v1/feedback", "feedback.give", FeedbackView, problems=(404,)),
    Call("GET", "/v1/feedback", "feedback.list", FeedbackView),
    Call("GET", "/v1/questions/unanswered", "questions.unanswered", QuestionGroupView),
    Call("GET", "/v1/curated-answers", "curated_answers.list", CuratedAnswerView),
    Call(
        "POST",
        "/v1/curated-answers",
        "curated_answers.create",
        CuratedAnswerView,
        201,
        "/v1/curated-answers/{id}",
        (404, 409),
    ),
    Call("GET", "/v1/curated-answers/{curated_answer}", "curated_answers.get", CuratedAnswerView),
    Call("PATCH", "/v1/curated-answers/{curated_answer}", "curated_answers.update", CuratedAnswerView, problems=(409,)),
    Call("DELETE", "/v1/curated-answers/{curated_answer}", "curated_answers.delete", None, 204),
    Call("GET", "/v1/usage", "usage.list", UsageView),
    Call("GET", "/v1/billing", "billing.get", BillingView),
    Call("GET", "/v1/statistics", "statistics.get", StatisticsView),
    Call("GET", "/v1/users", "users.list", UserView),
    Call("POST", "/v1/users", "users.create", UserView, 201, "/v1/users/{id}", (409,)),
    Call("GET", "/v1/users/{user}", "users.get", UserView),
    Call("PATCH", "/v1/users/{user}", "users.update", UserView, problems=(409,)),
    Call("DELETE", "/v1/users/{user}", "users.delete", None, 204, problems=(409,)),
    Call("POST", "/v1/users/{user}/invite", "users.invite", InvitationView, 201),
    Call("GET", "/v1/audit-log", "audit_log.list", AuditEntryView),
    Call("GET", "/v1/tenant", "tenant.get", TenantView),
    Call("PATCH", "/v1/tenant", "tenant.update", TenantView, problems=(409,)),
    Call("GET", "/v1/tenants", "tenants.list", TenantView),
    Call("POST", "/v1/tenants", "tenants.create", CreatedTenantView, 201, "/v1/tenants/{id}", (404, 409)),
    Call("GET", "/v1/tenants/{tenant}", "tenants.get", TenantView),
    Call("PATCH", "/v1/tenants/{tenant}", "tenants.update", TenantView, problems=(409,)),
    Call("POST", "/v1/tenants/{tenant}/close", "tenants.close", TenantView, problems=_OF_STRIPE),
    Call("POST", "/v1/tenants/{tenant}/invite", "tenants.invite", InvitationView, 201, problems=(409,)),
    Call("GET", "/v1/plans", "plans.list", PlanView),
    Call("POST", "/v1/plans", "plans.create", PlanView, 201, "/v1/plans/{id}", (409,)),
    Call("GET", "/v1/plans/{plan}", "plans.get", PlanView),
    Call("PATCH", "/v1/plans/{plan}", "plans.update", PlanView, problems=(409,)),
    Call("POST", "/v1/plans/{plan}/archive", "plans.archive", PlanView, problems=(409,)),
    Call(
        "POST",
        "/v1/signup",
        "signups.create",
        SignUpReceiptView,
        202,
        problems=(503,),
        at_once=AtOnce(NewAccount, NewAccountView),
    ),
    Call("POST", "/v1/signup/confirm", "signups.confirm", NewAccountView, 201, problems=(409, 410, 503)),
    Call("GET", "/v1/signups", "signups.list", SignUpView),
    Call("POST", "/v1/signups/{signup}/link", "signups.link", SignUpLinkView, 201, problems=(409,)),
    Call("DELETE", "/v1/signups/{signup}", "signups.delete", None, 204),
    Call("GET", "/v1/invites", "invites.list", InviteView),
    Call("POST", "/v1/invites", "invites.create", CreatedInviteView, 201, problems=(404, 409)),
    Call("DELETE", "/v1/invites/{invite}", "invites.delete", None, 204),
    Call("GET", "/v1/models", "models.list", ModelView),
    Call("POST", "/v1/models/{model}/pull", "models.pull", ModelView, 202, problems=(409, 507)),
    Call("GET", "/v1/settings", "settings.list", SettingView),
    Call("POST", "/v1/billing/checkout", "billing.checkout", DestinationView, 201, problems=(404, *_OF_STRIPE)),
    Call("POST", "/v1/billing/portal", "billing.portal", DestinationView, 201, problems=_OF_STRIPE),
    Call("POST", "/v1/billing/plan", "billing.change_plan", PlanChangeView, problems=(404, *_OF_STRIPE)),
    Call("GET", "/v1/billing/events", "meter_events.list", MeterEventView),
    Call("POST", "/v1/billing/reconcile", "billing.reconcile", ReconciliationView, problems=_OF_STRIPE),
    Call("GET", "/v1/webhooks", "webhooks.list", WebhookView),
    Call("POST", "/v1/webhooks", "webhooks.create", CreatedWebhookView, 201, "/v1/webhooks/{id}", (409,)),
    Call("GET", "/v1/webhooks/{webhook}", "webhooks.get", WebhookView),
    Call("PATCH", "/v1/webhooks/{webhook}", "webhooks.update", WebhookView),
    Call("DELETE", "/v1/webhooks/{webhook}", "webhooks.delete", None, 204),
    Call("POST", "/v1/webhooks/{webhook}/ping", "webhooks.ping", DeliveryView, 202, _DELIVERY, (409,)),
    Call("POST", "/v1/webhooks/{webhook}/rotate", "webhooks.rotate", CreatedWebhookView),
    Call("GET", "/v1/webhooks/{webhook}/deliveries", "deliveries.list", DeliveryView),
    Call("GET", "/v1/webhooks/{webhook}/deliveries/{delivery}", "deliveries.get", DeliveryView),
    Call(
        "POST",
        "/v1/webhooks/{webhook}/deliveries/{delivery}/redeliver",
        "deliveries.redeliver",
        DeliveryView,
        202,
        _DELIVERY,
        (409,),
    ),
    Call("GET", "/v1/events", "events.list", EventView),
    Call("GET", "/v1/events/{event}", "events.get", EventView),
)


def visitor_methods(path: str) -> set[str]:
    """The methods by which pages of any origin may call a path; none for a path that is not for visitors."""
    return {method for method, pattern in _VISITOR_CALLS if pattern.fullmatch(path)}


_VISITOR_CALLS = [(call.method, re.compile(_ID.sub("[^/]+", call.path))) for call in CALLS if call.is_for_visitors]
