"""Forms: what was entered, as a request of an operation, and what is wrong with it beside the field at fault."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self, TypeVar

from quart import request

from flowchat.errors import FlowChatError
from flowchat.services import validate

T = TypeVar("T")
_AGAIN = (400, 402, 409, 413, 415, 422, 429)  # the form is shown again; other errors have a page of their own
_AGAIN_CODES = ("plan_limit_reached",)
_OWN = ("csrf_token", "confirm")


class Form(AbstractContextManager["Form"]):
    """What stands in the fields. As a context manager it catches what the block's services refuse:

    with form:
        ...
        return await shell.done(...)
    return await shell.render("…", 422, form=form)
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        """`values`: what the fields show at first; lists for fields with several values."""
        self._values = {name: _texts(value) for name, value in (values or {}).items()}
        self.error: FlowChatError | None = None

    @classmethod
    async def entered(cls) -> Self:
        """The form that was sent."""
        form = cls()
        form._values = {name: list(texts) for name, texts in (await request.form).lists()}
        return form

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if not isinstance(error, FlowChatError) or (error.status not in _AGAIN and error.code not in _AGAIN_CODES):
            return False
        self.error = error
        return True

    def value(self, name: str, default: str = "") -> str:
        return next(iter(self._values.get(name, [])), default)

    def all(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def has(self, name: str) -> bool:
        """Whether a check box is ticked."""
        return self.value(name) not in ("", "false")

    def error_of(self, name: str) -> str:
        return self.message if name and name == self.at_fault else ""

    @property
    def message(self) -> str:
        """What is wrong, wherever it is."""
        return self.error.message[:1].upper() + self.error.message[1:] if self.error is not None else ""

    @property
    def at_fault(self) -> str:
        """The field that is wrong; '' where it is none of the form's."""
        param = (self.error.param if self.error is not None else None) or ""
        within = [name for name in self._values if param and param in (name, *name.split("."))]
        return param if param in within else next(iter(within), "")

    def to(
        self,
        request_type: type[T],
        *,
        optional: Iterable[str] = (),
        nullable: Iterable[str] = (),
        numbers: Iterable[str] = (),
        flags: Iterable[str] = (),
        lists: Iterable[str] = (),
        lines: Iterable[str] = (),
        without: Iterable[str] = (),
        **more: Any,
    ) -> T:
        """As an operation's request. Dots in names lead into objects: `caps.daily`.

        `optional` fields are absent where they are empty, `nullable` ones null. `numbers` are whole. `flags` are check
        boxes, `lists` fields that occur several times, `lines` text areas with an entry a line. The request is made
        `without` some. Raises FlowChatError.
        """
        left_out = {*_OWN, *without}
        payload: dict[str, Any] = {
            name: texts[-1].strip() for name, texts in self._values.items() if name not in left_out
        }
        for name in numbers:
            payload[name] = _number(payload.get(name, ""))
        payload |= {name: self.has(name) for name in flags}
        payload |= {name: [text for text in self.all(name) if text] for name in lists}
        payload |= {name: [line.strip() for line in self.value(name).splitlines() if line.strip()] for name in lines}
        payload |= {name: None for name in nullable if payload.get(name, "") == ""}
        kept = {name: value for name, value in payload.items() if value != "" or name not in set(optional)}
        return validate.read(_nested({**kept, **more}), request_type)


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, bool):
        return ["true"] if value else []
    if isinstance(value, (list, tuple)):
        return [str(one) for one in value]
    return [str(value)]


def _number(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        *objects, last = name.split(".")
        inside = nested
        for part in objects:
            inside = inside.setdefault(part, {})
            if not isinstance(inside, dict):
                raise validate.invalid(name, f"The field '{name}' does not fit the others.")
        inside[last] = value
    return nested
