"""The admin: pages for everything the API does, made on the server, by the same operations of the services.

To add a page for a resource:

1. A module here with its routes on `blueprint`, imported below. Each route names the operations it calls:
   `@blueprint.post("/keys")` over `@performs("keys.create")`. A route without `performs` (or `own_account`, `public`)
   is refused when it is called, and found by tests/contract/test_admin_contract.py, which wants a page for each of
   them.
2. A handler reads the query or the form into the operation's own request type (`shell.query`, `forms.Form`), calls the
   service with `appliance(), actor()`, and renders (`shell.render`) or says what was done (`shell.done`).
3. Templates in templates/admin/RESOURCE/, made of the macros of templates/admin/macros.html.
4. Its line in `navigation.ENTRIES` is there already and shows once the endpoint exists.

Authorisation is the services'. Templates hide what the user can't do: `{% if can("keys.create") %}`.
"""

from flowchat.web.admin import (  # noqa: F401 (routes)
    account,
    audit_log,
    backups,
    billing,
    conversations,
    curated_answers,
    guard,
    jobs,
    keys,
    machine_settings,
    models,
    one_time,
    overview,
    plans,
    playground,
    questions,
    sign_in,
    signups,
    source_content,
    sources,
    stripe,
    tenant,
    tenants,
    usage,
    users,
    webhooks,
    widget,
    words,
)
from flowchat.web.admin.blueprint import blueprint
from flowchat.web.admin.errors import error_page
from flowchat.web.admin.names import actor_name, browser_name

__all__ = ["blueprint", "error_page"]

blueprint.add_app_template_filter(actor_name)
blueprint.add_app_template_filter(browser_name)
for words_filter in (
    words.reason_text,
    words.job_title,
    words.time_taken,
    words.number,
    words.duration,
    words.size,
    words.money,
):
    blueprint.add_app_template_filter(words_filter)
blueprint.before_app_request(guard.check)
blueprint.after_app_request(guard.add_headers)
