"""Whatever reaches out of the machine has a time-out."""

import ast
from pathlib import Path

import flowchat

CLIENTS = {"AsyncClient", "Client", "SMTP", "SMTP_SSL", "stream", "urlopen", "create_connection"}
MODULES = {"httpx", "smtplib", "urllib", "request", "socket"}  # whose clients these are
PACKAGE = Path(flowchat.__file__).parent


def clients_without_a_time_out(source: str) -> list[str]:
    return [
        f"line {call.lineno}: {ast.unparse(call)}"
        for call in ast.walk(ast.parse(source))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in MODULES
        and call.func.attr in CLIENTS
        and not any(keyword.arg == "timeout" for keyword in call.keywords)
    ]


def test_every_client_is_made_with_one() -> None:
    sources = {path: path.read_text() for path in PACKAGE.rglob("*.py")}
    assert sum("httpx.AsyncClient(" in source for source in sources.values()) > 2
    assert {path: faults for path, source in sources.items() if (faults := clients_without_a_time_out(source))} == {}


def test_one_without_is_found() -> None:
    assert clients_without_a_time_out("httpx.AsyncClient(trust_env=False)") == [
        "line 1: httpx.AsyncClient(trust_env=False)"
    ]
    assert clients_without_a_time_out("smtplib.SMTP('mail.test', timeout=9)") == []
