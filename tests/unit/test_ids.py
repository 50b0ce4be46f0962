"""Ids sort by their creation."""

from concurrent.futures import ThreadPoolExecutor

from flowchat.domain import new_id


def test_ids_made_one_after_another_sort_in_that_order() -> None:
    made = [new_id("key") for _ in range(10_000)]
    assert made == sorted(set(made))


def test_threads_make_no_id_twice() -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: new_id("key"), range(20_000)))
    assert len(set(made)) == len(made)
