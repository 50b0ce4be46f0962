"""An appliance in a temporary folder whose crawls need no models."""

import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from flowchat.answer.pipeline import Answerer
from flowchat.domain import Job, Source
from flowchat.engines.priority import BulkGate
from flowchat.engines.protocols import Engines, Vectors
from flowchat.errors import NotFound
from flowchat.services import jobs, sources, worker
from flowchat.services.context import Appliance
from flowchat.services.source_requests import NewSource
from flowchat.services.tenants import actor_for_cli
from flowchat.settings import Settings
from flowchat.store.database import open_database
from flowchat.store.migrate import migrate

DIMS = 32
NOTE = "In place of the embedding model, words were hashed into vectors: nothing here depends on what a model makes."


class WordEmbedder:
    """An `Embedder` without a model: a word adds one to the dimension that its hash names. Tokens are words."""

    name = "words"

    def __init__(self, dims: int) -> None:
        self.dims = dims

    def embed_query(self, query: str) -> Vectors:
        hashes = [zlib.crc32(word.encode("utf-8", "replace")) % self.dims for word in query.split()]
        counts = np.bincount(hashes or [0], minlength=self.dims).astype(np.float32)
        return counts / np.linalg.norm(counts)

    def embed_passages(self, passages: Sequence[str]) -> Vectors:
        return np.stack([self.embed_query(passage) for passage in passages])

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]


class _Unasked:
    """Stands where the models are that only questions need."""

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        raise NotImplementedError

    def entailment(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        raise NotImplementedError


@asynccontextmanager
async def temporary_appliance(
    dims: int = DIMS, engines: Engines | None = None, **changes: Any
) -> AsyncIterator[Appliance]:
    """An appliance that may crawl loopback; `changes` are settings. Nobody works on its jobs but `done`.

    Without `engines` it can crawl, but not answer.
    """
    engines = engines or Engines(WordEmbedder(dims), _Unasked(), _Unasked(), None)
    gate = BulkGate()
    with TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder), allow_private_hosts=("127.0.0.1",), embedder=engines.embedder.name, **changes
        )
        migrate(settings.database_path)
        async with open_database(settings.database_path) as db:
            yield Appliance(
                settings=settings,
                db=db,
                wake=lambda job_id: None,
                engines=engines,
                gate=gate,
                answerer=Answerer(settings, db, engines, gate),
            )


async def new_source(app: Appliance, url: str) -> tuple[Source, Job]:
    """A source whose first job waits."""
    source, job = await sources.create(app, await actor_for_cli(app.db, None), NewSource(url))
    if job is None:
        raise NotFound("job", url)
    return source, job


async def another_crawl(app: Appliance, source: Source) -> Job:
    """It waits."""
    return await sources.recrawl(app, await actor_for_cli(app.db, None), source.id)


async def done(app: Appliance, job: Job) -> Job:
    """The job, after it has been worked on until it ended."""
    await worker.run(app, job.id)
    return await jobs.get(app, await actor_for_cli(app.db, None), job.id)
