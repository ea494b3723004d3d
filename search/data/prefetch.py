"""Work done ahead by threads while somebody else computes.

Threads and not processes: decoding, resizing and sums over arrays let go of Python's lock, images stay in one memory,
and nothing has to be packed up to be handed over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")


def ahead(jobs: Iterable[Callable[[], _T]], workers: int) -> Generator[_T, None, None]:
    """What jobs come to, in their order, begun before it is asked for.

    As many jobs are under way or done as there are workers: with one, the next result is made while the one that was
    handed out is used. An error of a job comes where its result would.

    Args:
        jobs: taken as results are; an endless row is fine.
        workers: threads; 0 does each job when its result is asked for.
    """
    if workers == 0:
        for job in jobs:
            yield job()
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="images")
    begun = deque[Future[_T]]()
    try:
        for job in jobs:
            begun.append(pool.submit(job))
            if len(begun) > workers:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        # Whoever stops early need not wait for results that nobody wants.
        pool.shutdown(wait=True, cancel_futures=True)
