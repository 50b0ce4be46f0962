"""The audit log: who did what."""

from quart import Response

from flowchat.services import audit_log
from flowchat.services.audit_log import AuditLogRequest
from flowchat.web.admin import audit_words, shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.forms import Form
from flowchat.web.current import appliance


@blueprint.get("/audit-log")
@performs("audit_log.list")
async def audit_log_list() -> Response:
    asked = shell.query(AuditLogRequest)
    listed = await audit_log.list_page(appliance(), shell.actor(), asked)
    filters = Form({"operation": asked.operation, "target": asked.target, "actor": asked.actor})
    return await shell.render(
        "admin/audit_log/list.html",
        entries=listed.items,
        sentence=audit_words.sentence,
        rest=audit_words.rest,
        choices=audit_words.choices(asked.operation),
        filters=filters,
        paging=shell.paging(listed, asked),
    )
