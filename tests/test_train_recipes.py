"""The benchmark of recipes for short trainings: its table, and a run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks import train_recipes
from benchmarks.train_recipes import RECIPES, lines
from devices import WrongUse
from search import TrainRecipe
from tests.agent.living_processes import ends
from tests.sshd import descendants, wait_until


def test_the_first_recipe_is_the_default_that_the_others_are_compared_with() -> None:
    assert TrainRecipe(**next(iter(RECIPES.values()))) == TrainRecipe()
    assert len({TrainRecipe(**each) for each in RECIPES.values()}) == len(RECIPES)


def test_the_table_says_mean_deviation_and_how_often_a_recipe_is_ahead() -> None:
    found = {
        (name, seed): {"val": 0.2 + 0.1 * place * seed, "train": 0.5}
        for place, name in enumerate(RECIPES)
        for seed in (0, 1)
    }
    _, first, second, *_ = lines(found)
    assert first.split() == ["SGD,", "0.1", "20.0", "+-0.0", "50.0", "+-0.0", "0", "of", "2", "seeds"]
    assert second.split()[-8:] == ["25.0", "+-7.1", "50.0", "+-0.0", "1", "of", "2", "seeds"]


def test_every_recipe_is_trained_with_every_seed(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="torch is not installed; networks are trained with it")
    small = ["--data", "scenes", "--space", "demo", "--input", "32x64", "--steps", "2", "--images", "4"]
    train_recipes.main([*small, "--seeds", "1", "--at-once", "1", "--threads", "1", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [each["recipe"] for each in found] == list(RECIPES)
    assert all(0 <= each[split] <= 1 for each in found for split in ("val", "train"))
    assert len({each["train"] for each in found}) > 1


@pytest.mark.parametrize("words", [["--seeds", "0"], ["--steps", "0"], ["--at-once", "0"]])
def test_numbers_out_of_range_are_refused(words: list[str]) -> None:
    with pytest.raises(WrongUse, match="must be 1 or more"):
        train_recipes.main(words)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="there is no /proc to look for processes in")
@pytest.mark.parametrize("killed", [signal.SIGKILL, signal.SIGINT])
def test_processes_that_train_end_with_the_command(killed: signal.Signals) -> None:
    """Ctrl-C reaches all of them; ``kill -9`` only the first."""
    pytest.importorskip("torch", reason="torch is not installed; networks are trained with it")
    script = Path(__file__).parents[1] / "benchmarks" / "train_recipes.py"
    small = ["--data", "scenes", "--space", "demo", "--input", "32x64", "--steps", "1000000", "--images", "4"]
    with subprocess.Popen([sys.executable, script, *small], start_new_session=True) as command:
        try:
            wait_until(lambda: sum(map(trains, descendants(command.pid))) == 2, "two trainings", 600)
            began = descendants(command.pid)
            if killed is signal.SIGINT:
                os.killpg(command.pid, killed)
            else:
                command.kill()
            command.wait(300)
            assert all(map(ends, began))
        finally:
            with suppress(ProcessLookupError):
                os.killpg(command.pid, signal.SIGKILL)


def trains(process: int) -> bool:
    """Whether it has begun: it has loaded torch. Processes that torch starts and ends while it is loaded have not."""
    try:
        return "libtorch_cpu" in Path(f"/proc/{process}/maps").read_text()
    except OSError:
        return False
