"""What schemathesis does differently here, and why."""

import itertools
import os
import re
from typing import Any

import schemathesis

PROTECTED = set(os.environ["FLOWCHAT_FUZZ_PROTECTED"].split(","))
VALID_KEY = re.compile("[!-~]{1,255}")
numbers = itertools.count()


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Its own keys and what they may ask are spared: without them all it sends would be refused.

    No Idempotency-Key is sent twice: it likes to repeat short ones, and would get nothing but 422.
    """
    for name, value in (case.path_parameters or {}).items():
        if value in PROTECTED:
            case.path_parameters[name] = "none"
    key = case.headers.get("Idempotency-Key") if case.headers else None
    if isinstance(key, str) and VALID_KEY.fullmatch(key):
        case.headers["Idempotency-Key"] = f"{key}-{next(numbers)}"[-255:]
