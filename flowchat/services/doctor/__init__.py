"""`flowchat doctor`: one function for each check of a machine, its data folder and its settings.

Every check only looks: it takes no lock, writes nothing, and is right beside a running FlowChat.
"""

from collections.abc import Callable, Iterable

from flowchat.services.doctor import configuration, database, folder, machine, models, reach
from flowchat.services.doctor.findings import Facts, Finding, State

Check = Callable[[Facts], Iterable[Finding]]

CHECKS: dict[str, Check] = {
    "python": machine.python,
    "sqlite": machine.sqlite,
    "processor": machine.processor,
    "memory": machine.memory,
    "clock": machine.clock,
    "open files": machine.open_files,
    "settings": configuration.contradictions,
    "unknown settings": configuration.unknown_variables,
    "port": configuration.port,
    "folder": folder.owner_and_modes,
    "file system": folder.file_system,
    "disk": folder.disk,
    "lock": folder.lock,
    "secret key": folder.secret_key,
    "backups": folder.backups,
    "database": database.schema,
    "write-ahead log": database.wal,
    "models": models.present,
    "mail server": reach.mail_server,
}
DEEP: dict[str, Check] = {
    "database content": database.content,
    "model files": models.hashes,
    "network": reach.network,
    "answer": models.answer,
}


def examine(facts: Facts, *, deep: bool) -> Iterable[tuple[str, Finding]]:
    """(name of the check, what it found), as they are made. `deep` ones take minutes and memory."""
    for name, check in (CHECKS | DEEP if deep else CHECKS).items():
        for finding in check(facts):
            yield name, finding


__all__ = ["CHECKS", "DEEP", "Facts", "Finding", "State", "examine"]
