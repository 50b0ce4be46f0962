"""What must be reached from here?"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from flowchat.errors import FlowChatError
from flowchat.net import mail
from flowchat.net.outside import fault_of
from flowchat.services.doctor.findings import Facts, Finding, ok, problem, warning


def mail_server(facts: Facts) -> Iterable[Finding]:
    try:
        server = mail.server_of(facts.settings)
    except FlowChatError:
        return [ok("not tried: see settings")]
    if server is None:
        return [ok("none is set: no e-mail is sent")]
    try:
        mail.greet(server)
    except FlowChatError as error:
        return [problem(error.message, "Check FLOWCHAT_SMTP_URL, and whether this machine may reach that port.")]
    return [ok(f"{server.place} takes our letters")]


def network(facts: Facts) -> Iterable[Finding]:
    """By HTTPS, and so by name."""
    settings = facts.settings
    wanted = {settings.hf_endpoint: "models are pulled from there"}
    if settings.stripe_api_key:
        wanted[settings.stripe_api_base] = "usage is reported there"
    if settings.generator.startswith("openai:"):
        wanted[settings.generator.partition("@")[2]] = "answers are generated there"
    for url, why in wanted.items():
        parts = urlsplit(url)
        place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        if fault := fault_of(place):
            yield warning(f"{place} can't be reached ({why}): {fault}.", "Check the name service and the firewall.")
        else:
            yield ok(f"{place} answers")
