"""Questions to an appliance, from a process of its own: `python -m flowchat.evaluation.load`, a plan on stdin.

It prints the answers' times as JSON. A generator of load in the server's own process would measure itself.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from itertools import cycle, islice

from flowchat.errors import FlowChatError
from flowchat.net.appliance import ChatClient, chat_client

GRACE_S = 150.0  # for answers that were begun in time


@dataclass(frozen=True, slots=True)
class Plan:
    """With a `rate_per_s`, questions come at that rate for `seconds`, whatever becomes of those before (open loop).

    Without one, each is asked once, by `at_once` visitors that wait for their answers (closed loop).
    """

    url: str
    key: str
    sources: list[str]
    questions: list[str]
    at_once: int = 1
    rate_per_s: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Timed:
    """Of one question: seconds since it was sent; None for what never came. `code` is of an error, or ''."""

    first_event_s: float | None
    first_text_s: float | None
    done_s: float
    refusal: bool = False
    tokens_out: int = 0
    code: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """`seconds`: from the first question to the last answer."""

    seconds: float
    answers: list[Timed]


async def apply(plan: Plan) -> Load:
    """Raises FlowChatError `load_failed`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "flowchat.evaluation.load"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        told, log = await process.communicate(json.dumps(asdict(plan)).encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        ending = log.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise FlowChatError("load_failed", f"The questions could not be asked: {ending[:200]}")
    load = json.loads(told)
    return Load(load["seconds"], [Timed(**answer) for answer in load["answers"]])


async def _apply(plan: Plan) -> Load:
    async with chat_client(plan.url, plan.key, plan.sources) as client:
        began = time.perf_counter()
        answers = await (_open_loop if plan.rate_per_s else _closed_loop)(plan, client)
        return Load(time.perf_counter() - began, answers)


async def _closed_loop(plan: Plan, client: ChatClient) -> list[Timed]:
    answers: list[Timed] = []
    left = iter(plan.questions)

    async def visitor() -> None:
        for question in left:
            answers.append(await ask(client, question))

    await asyncio.gather(*(visitor() for _ in range(plan.at_once)))
    return answers


async def _open_loop(plan: Plan, client: ChatClient) -> list[Timed]:
    began = asyncio.get_running_loop().time()
    asking = []
    for number, question in enumerate(islice(cycle(plan.questions), max(1, int(plan.rate_per_s * plan.seconds)))):
        await asyncio.sleep(began + number / plan.rate_per_s - asyncio.get_running_loop().time())
        asking.append(asyncio.create_task(ask(client, question)))
    done, late = await asyncio.wait(asking, timeout=GRACE_S)
    for task in late:
        task.cancel()
    return [task.result() for task in done] + [Timed(None, None, GRACE_S, code="never_ended")] * len(late)


async def ask(client: ChatClient, question: str) -> Timed:
    """Whatever becomes of it."""
    began = time.perf_counter()
    first_event_s = first_text_s = None
    refusal, tokens_out, code = False, 0, ""
    try:
        async with aclosing(client.stream(question)) as events:
            async for event in events:
                at_s = time.perf_counter() - began
                first_event_s = at_s if first_event_s is None else first_event_s
                if event.name == "generation.token" and first_text_s is None:
                    first_text_s = at_s
                elif event.name == "error":
                    code = event.data["code"]
                elif event.name == "stream.done":
                    refusal = event.data["refusal"]
                    tokens_out = event.data.get("usage", {}).get("tokens_out", 0)
    except FlowChatError as error:
        code = error.code
    return Timed(first_event_s, first_text_s, time.perf_counter() - began, refusal, tokens_out, code)


def percentile(samples: Sequence[float], share: float) -> float:
    """The nearest rank's; NaN of none."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(_apply(Plan(**json.load(sys.stdin)))))))
