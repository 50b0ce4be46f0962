"""Are the models there and whole, and how fast are they here?"""

import asyncio
import time
from collections.abc import Iterable, Sequence

from flowchat.engines.protocols import Engines, GenerationUsage
from flowchat.engines.registry import ModelSpec, installed, pull_hint, verify
from flowchat.errors import ModelError
from flowchat.net.openai_stream import stream_chat
from flowchat.services.doctor.findings import Facts, Finding, megabytes, ok, problem, warning
from flowchat.services.models import needed

PAIRS = 10  # what a search reads
TOKENS = 40
SLOW_S = 4.0
TIMEOUT_S = 60.0
_QUESTION = "How long may an unused lamp be returned?"
_PASSAGE = "You can return an unused lamp within 30 days of delivery. Sending it back is free within Belgium."


def present(facts: Facts) -> Iterable[Finding]:
    models = facts.settings.models_path
    try:
        wanted = needed(facts.settings)
    except ModelError as error:
        return [problem(error.message, "Correct the setting: `flowchat models list` shows what there is.")]
    missing = [spec for spec in wanted if installed(spec, models) is None]
    return [_missing(spec) for spec in missing] or [ok(", ".join(spec.name for spec in wanted))]


def _missing(spec: ModelSpec) -> Finding:
    if spec.bundled:
        return problem(f"The {spec.role} '{spec.name}' is not whole.", pull_hint(spec))
    told = f"The {spec.role} '{spec.name}' is not here, or not whole ({megabytes(spec.bytes)})."
    return warning(told, f"{pull_hint(spec)} So does the next start of FlowChat.")


def hashes(facts: Facts) -> Iterable[Finding]:
    """Of every byte."""
    models = facts.settings.models_path
    try:
        present = [spec for spec in needed(facts.settings) if installed(spec, models) is not None]
    except ModelError:
        return []
    return [finding for spec in present if (finding := _damage(facts, spec))] or [ok("every byte is as it should be")]


def _damage(facts: Facts, spec: ModelSpec) -> Finding | None:
    try:
        verify(spec, facts.settings.models_path)
    except ModelError as error:
        return problem(error.message, "Until then it is not loaded.")
    return None


def answer(facts: Facts) -> Iterable[Finding]:
    """How long a small answer takes. Not beside a running FlowChat, whose memory it would need."""
    if facts.is_running:
        yield ok("not tried beside a running FlowChat: its /metrics tell")
        return
    # Importing the model libraries takes longer than all other checks.
    from flowchat.engines.load import load_engines

    try:
        engines = load_engines(facts.settings, stream_chat)
    except ModelError as error:
        yield problem(error.message, "Until then FlowChat does not start.")
        return
    try:
        yield from _timed(engines)
    finally:
        engines.close()


def _timed(engines: Engines) -> Iterable[Finding]:
    if engines.problem:
        yield warning(engines.problem, "Until that is mended, answers only quote.")
    began = time.monotonic()
    engines.embedder.embed_query(_QUESTION)
    engines.reranker.score(_QUESTION, [_PASSAGE] * PAIRS)
    engines.verifier.entailment([(_PASSAGE, "An unused lamp may be returned.")])
    search_s = time.monotonic() - began
    told = f"search and check {search_s:.1f} s"
    if engines.generator is not None:
        try:
            tokens, took_s = asyncio.run(_generated(engines))
        except (ModelError, TimeoutError) as error:
            told = str(error) or f"It was silent for {TIMEOUT_S:.0f} s."
            yield warning(f"The generator fails: {told}", "Until that is mended, answers only quote.")
            return
        told += f", {tokens} tokens in {took_s:.1f} s"
    if search_s > SLOW_S:
        yield warning(f"Slow: {told}.", "Use a faster machine; the documentation's page 'Growing' says what helps.")
    else:
        yield ok(told)


async def _generated(engines: Engines) -> tuple[int, float]:
    """(tokens, seconds)"""
    usage, began = GenerationUsage(), time.monotonic()
    messages: Sequence[dict[str, str]] = [{"role": "user", "content": f"{_PASSAGE}\n\n{_QUESTION}"}]
    async with asyncio.timeout(TIMEOUT_S):
        if engines.generator is not None:
            async for _ in engines.generator.generate(messages, max_tokens=TOKENS, usage=usage):
                pass
    return usage.tokens_out, time.monotonic() - began
