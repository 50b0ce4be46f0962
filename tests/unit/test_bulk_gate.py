import threading

from flowchat.engines.priority import BulkGate


def test_bulk_work_goes_at_once_when_nobody_waits() -> None:
    BulkGate().wait_turn(max_wait_s=3600)


def test_bulk_work_waits_for_the_last_interactive_block() -> None:
    gate = BulkGate()
    went = threading.Event()

    def bulk() -> None:
        gate.wait_turn(max_wait_s=3600)
        went.set()

    with gate.interactive():
        with gate.interactive():
            thread = threading.Thread(target=bulk)
            thread.start()
        assert not went.wait(0.05)
    thread.join()
    assert went.is_set()


def test_bulk_work_does_not_starve() -> None:
    gate = BulkGate()
    with gate.interactive():
        gate.wait_turn(max_wait_s=0.01)
