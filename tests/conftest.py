"""For all tests: one thread for torch, as a second only waits on images of a few pixels; no targets of the user."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

# A machine that stands still for a moment is no failure of what is tested. Every run tries the same examples, so that
# what fails does so again; `make test ARGS="--hypothesis-profile searching"` tries new ones.
settings.register_profile("searching", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("steady", settings.get_profile("searching"), derandomize=True, database=None)
settings.load_profile("steady")

# Read by torch when it is loaded, here and in the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")


# The developer's own devices are none of the tests' business.
os.environ["PACELINE_TARGETS"] = os.devnull


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


# A shell that starts a job in the background has it ignore Ctrl-C, and so does every process that the job starts; the
# tests of Ctrl-C need processes that do not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# And `nohup` has them ignore the end of a connection, which the tests of lost connections need.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where workers share the tests, the longest files are begun first, so that none is left alone with one of them."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: (item.path.name != "test_readme.py", item.path not in slow))
