"""Programs run to their end, and families ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.runtimes.child_programs import TookTooLong, kill_family, run_program
from tests.agent.living_processes import ends

MOST_WAIT_S = 120.0


def test_a_program_gives_its_status_and_both_of_its_outputs() -> None:
    ended = run_program(["/bin/sh", "-c", "echo out; echo err >&2; exit 3"], MOST_WAIT_S)
    assert ended.status == 3
    assert sorted(ended.output.split()) == ["err", "out"]


def test_the_signal_that_ended_it_is_its_negative_status() -> None:
    assert run_program(["/bin/sh", "-c", "kill -ABRT $$"], MOST_WAIT_S).status == -signal.SIGABRT


def test_output_that_is_no_text_is_read_all_the_same() -> None:
    assert run_program(["/bin/sh", "-c", r"printf 'a\377b'"], MOST_WAIT_S).output == "a\ufffdb"


def test_it_reads_nothing_that_is_meant_for_this_process() -> None:
    assert run_program(["/bin/cat"], MOST_WAIT_S).output == ""


def test_a_program_that_is_not_there_cannot_be_started() -> None:
    with pytest.raises(OSError, match="No such file"):
        run_program(["/no/such/program"], MOST_WAIT_S)


def test_one_that_hangs_is_killed_with_its_children_and_theirs(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    # The grandchild holds the pipe and ignores what can be ignored.
    script = f"(trap '' TERM HUP INT; echo $$ >> {pids}; sh -c 'echo $$ >> {pids}; sleep 600' & sleep 600) & sleep 600"
    found: list[int] = []
    for limit_s in (1.0, 10.0, 60.0):  # So long that both have begun.
        pids.write_text("")
        with pytest.raises(TookTooLong, match=f"did not end within {limit_s:g} s"):
            run_program(["/bin/sh", "-c", script], limit_s)
        found = [int(line) for line in pids.read_text().split()]
        if len(found) == 2:
            break
    assert len(found) == 2
    assert all(map(ends, found))


def test_it_stays_in_the_group_of_this_process() -> None:
    output = run_program(["/bin/sh", "-c", "cut -d' ' -f5 /proc/self/stat"], MOST_WAIT_S).output
    assert int(output) == os.getpgrp()


def test_a_family_is_that_of_one_process_and_not_of_its_brothers() -> None:
    code = "import subprocess, sys, time; subprocess.Popen(['sleep', '600']); print(flush=True); time.sleep(600)"
    brothers = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for brother in brothers:
            assert brother.stdout is not None
            brother.stdout.readline()
        kill_family(brothers[0].pid)
        assert brothers[0].wait() == -signal.SIGKILL
        assert brothers[1].poll() is None
    finally:
        for brother in brothers:
            if brother.poll() is None:  # The number of one that has ended may be another's by now.
                kill_family(brother.pid)
            brother.wait()
            assert brother.stdout is not None
            brother.stdout.close()


def test_a_process_that_is_gone_has_no_family() -> None:
    ended = subprocess.Popen(["/bin/true"])
    ended.wait()
    kill_family(ended.pid)
