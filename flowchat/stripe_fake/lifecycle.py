"""What happens by itself when its time has come."""

from flowchat.stripe_fake import meters
from flowchat.stripe_fake.state import State


def catch_up(state: State) -> None:
    """All that was due until now, each at its moment."""
    meters.report_errors(state)


def advance(state: State, seconds: float) -> None:
    """Move the clock forward, through all that is due meanwhile."""
    state.clock.set(state.now() + seconds)
    catch_up(state)
