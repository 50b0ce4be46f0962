import re
from pathlib import Path

import flowchat
from flowchat.web.admin import audit_words

_WRITES = re.compile(
    r"(?:audit_log\.insert|_audit|_update)\((?:\s*[\w.]+(?:\([^()]*(?:\([^()]*\)[^()]*)*\))?,)+\s*\"([a-z_.]+)\""
)


def test_everything_that_is_written_to_the_log_has_words() -> None:
    services = Path(flowchat.__file__).parent / "services"
    written = {name for path in services.rglob("*.py") for name in _WRITES.findall(path.read_text(encoding="utf-8"))}
    assert len(written) > 40
    assert written - set(audit_words.WORDS) == set()


def test_sentences_and_what_they_leave_out() -> None:
    detail = {"type": "admin", "name": "ci", "scopes": ["read", "write"], "test": False, "origins": []}
    assert audit_words.sentence("keys.create", detail) == "Made a key: ci"
    assert audit_words.rest("keys.create", detail) == [("type", "admin"), ("scopes", "read, write"), ("test", "no")]
    assert audit_words.sentence("keys.create", {"name": ""}) == "Made a key"
    assert audit_words.sentence("documents.create", {"names": ["a.md", "b.md"]}) == "Uploaded files: a.md, b.md"
    assert audit_words.sentence("things.forget", {}) == "things.forget"
    long = audit_words.sentence("curated_answers.create", {"question": "x" * 200})
    assert long.endswith("x…") and len(long) < 120


def test_what_is_asked_for_can_be_chosen() -> None:
    assert ("things.forget", "things.forget") in audit_words.choices("things.forget")
    assert audit_words.choices("keys.create") == audit_words.choices("")
