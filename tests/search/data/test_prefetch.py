"""Working ahead: the same results in the same order, begun early, and errors where they belong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, islice

import pytest

from search.data.prefetch import ahead


def squares(begun: list[int]) -> Iterator[Callable[[], int]]:
    def square(number: int) -> int:
        begun.append(number)
        return number * number

    return (partial(square, number) for number in count())


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_the_order_of_the_jobs(workers: int) -> None:
    jobs = (partial(pow, number, 2) for number in range(20))
    assert list(ahead(jobs, workers)) == [number * number for number in range(20)]


@pytest.mark.parametrize(("workers", "begun_at_most"), [(0, 1), (1, 3), (2, 4)])
def test_no_more_is_begun_than_is_about_to_be_used(workers: int, begun_at_most: int) -> None:
    begun: list[int] = []
    results = ahead(squares(begun), workers)
    assert next(results) == 0
    results.close()
    assert 1 <= len(begun) <= begun_at_most


def test_the_next_job_is_done_while_a_result_is_used() -> None:
    done = [threading.Event() for _ in range(3)]
    results = ahead((event.set for event in done), 1)
    next(results)
    assert done[1].wait(timeout=300), "nobody asked for it yet"


def test_jobs_of_several_workers_run_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=300)
    assert sorted(ahead([meeting.wait, meeting.wait], 2)) == [0, 1]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_comes_where_its_result_would(workers: int) -> None:
    def fail() -> int:
        raise ValueError("no such picture")

    results = ahead([lambda: 1, lambda: 2, fail, lambda: 4], workers)
    assert list(islice(results, 2)) == [1, 2]
    with pytest.raises(ValueError, match="no such picture"):
        next(results)


def test_whoever_stops_early_leaves_no_threads() -> None:
    results = ahead(squares([]), 3)
    next(results)
    assert of_workers()
    results.close()
    assert not of_workers()


def of_workers() -> list[str]:
    """The threads that read ahead."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("images")]
