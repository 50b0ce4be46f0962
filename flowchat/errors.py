"""Expected failures. Whatever else is raised is a bug."""


class FlowChatError(Exception):
    """A failure that its reader can act on.

    `code` is stable and for programs, `message` is for people and says what to do, `status` is the HTTP status,
    `param` names the request field at fault.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int = 400,
        param: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.param = param
        self.retry_after_s = retry_after_s


class NotFound(FlowChatError):
    """The thing does not exist, or belongs to somebody else: callers cannot tell which."""

    def __init__(self, what: str, ident: str, *, param: str | None = None) -> None:
        super().__init__("not_found", f"No {what} '{ident}'.", status=404, param=param)


class Unauthorized(FlowChatError):
    """No credential, or one that is unknown, expired or revoked."""

    def __init__(self, message: str) -> None:
        super().__init__("unauthorized", message, status=401)


class Forbidden(FlowChatError):
    """The credential is good, but not for this."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message, status=403)


class Conflict(FlowChatError):
    """The request contradicts the present state."""

    def __init__(self, code: str, message: str, *, param: str | None = None) -> None:
        super().__init__(code, message, status=409, param=param)


class Busy(FlowChatError):
    """The machine is full for the moment."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__("busy", message, status=503, retry_after_s=retry_after_s)


class DiskFull(FlowChatError):
    """There was no room for it: nothing was changed."""

    def __init__(self) -> None:
        super().__init__(
            "disk_full",
            "The disk of this FlowChat is full: nothing was changed. Try again when its operator has made room.",
            status=503,
            retry_after_s=60,
        )


class ModelError(FlowChatError):
    """A model is missing, damaged or cannot be fetched."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message, status=503)
