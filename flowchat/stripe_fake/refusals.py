"""What the fake answers when it won't do something: Stripe's errors, in Stripe's words."""

from typing import Any


class Refusal(Exception):
    """An error of the API. `param` names the field at fault, as the request spells it."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        status: int = 400,
        kind: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.status = status
        fields = {"code": code, "message": message, "param": param, "type": kind}
        if code:
            fields["doc_url"] = f"https://docs.stripe.com/error-codes/{code.replace('_', '-')}"
        self.error = {name: value for name, value in sorted(fields.items()) if value is not None}

    @property
    def body(self) -> dict[str, Any]:
        return {"error": self.error}


class Malformed(Refusal):
    """The request can't be understood, so that nothing has begun: its idempotency key stays free."""


def missing(kind: str, ident: str, *, param: str = "id", status: int = 404) -> Refusal:
    """No such object; 404 where the path names it, 400 where a parameter does."""
    return Refusal(f"No such {kind}: '{ident}'", code="resource_missing", param=param, status=status)
