"""Do the database, its two indexes, the versions, the usage and the model files agree?"""

from flowchat.engines.registry import installed, load_registry
from flowchat.settings import Settings
from flowchat.store import chunks, meter_events, usage, versions
from flowchat.store.database import Database


async def check(db: Database) -> list[str]:
    """What is wrong, one sentence each; empty if all is well. Right beside a running appliance, too."""
    missing = await chunks.count_missing(db)
    problems = [f"{number} {what}" for what, number in missing.items() if number]
    return (
        problems
        + await versions.faults(db)
        + await usage.faults(db)
        + await meter_events.faults(db)
        + await db.integrity_faults()
    )


def check_models(settings: Settings) -> list[str]:
    """Models whose files are not all there, or have another size than they should. Reads no content."""
    return [
        f"the model {spec.name} is incomplete: run `flowchat models pull {spec.name}`"
        for spec in load_registry(settings.models_path).values()
        if (settings.models_path / spec.name).is_dir() and installed(spec, settings.models_path) is None
    ]
