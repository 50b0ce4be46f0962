"""robots.txt: Google's expectations (robots/google_spec.jsonl)."""

import base64
import json
import math
from dataclasses import dataclass

from flowchat.evaluation.corpora import read_corpus
from flowchat.evaluation.report import Measure, Options, Report
from flowchat.net.robots import RobotsRules

CORPUS = "robots/google_spec.jsonl"
MIN_SHARE = 395 / 400
_REASONS = {
    "non-ascii-paths.textproto": "RFC 9309, section 2.2.2, compares URL and rule in one form of their escapes, so that "
    "this page is allowed; Google's matcher leaves the URL as it is given."
}


@dataclass(frozen=True, slots=True)
class _Case:
    file: str
    robots_txt: bytes
    url: str
    user_agent: str
    allowed: bool


def run(options: Options) -> Report:
    """Compare each expectation with what the rules allow, and say why where they differ."""
    cases = [_case(line) for line in read_corpus(options.data, CORPUS).splitlines()]
    misses = [(number, case) for number, case in enumerate(cases, 1) if not _is_met(case)]
    right = len(cases) - len(misses)
    needed = math.ceil(MIN_SHARE * len(cases))
    measure = Measure(f"right of {len(cases)}", right, f"at least {needed}", right >= needed)
    return Report("robots.txt: Google's expectations", (measure,), tuple(_note(*miss) for miss in misses))


def _case(line: bytes) -> _Case:
    told = json.loads(line)
    robots_txt = base64.b64decode(told["robots_txt_base64"])
    return _Case(told["file"], robots_txt, told["url"], told["user_agent"], told["allowed"])


def _is_met(case: _Case) -> bool:
    return RobotsRules.parse(200, case.robots_txt, case.user_agent).allowed(case.url) is case.allowed


def _note(number: int, case: _Case) -> str:
    expected = "allowed" if case.allowed else "disallowed"
    reason = _REASONS.get(case.file, "Not explained yet.")
    return f"case {number}, {case.file}: '{case.user_agent}' at {case.url} should be {expected}. {reason}"
