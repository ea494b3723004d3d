"""``paceline search`` where scores are looked up, computed or traded, and not trained."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from search import SearchResult
from tests.paceline.conftest import Command
from tests.paceline.small_benchmark import SCORE, small_benchmark

DATA = Path(os.environ.get("PACELINE_DATA") or Path(__file__).resolve().parents[4] / "shared" / "data")


@pytest.fixture
def scores(tmp_path: Path) -> str:
    return f"{small_benchmark(tmp_path / 'small.npz')}:{SCORE}"


def test_the_best_cell_within_a_limit_is_found_and_written_down(command: Command, scores: str, tmp_path: Path) -> None:
    out = tmp_path / "cell.json"
    search = ("search", "--evaluator", scores, "--limit", "latency@board=8ms", "--out", out)
    ended = command(*search)
    assert ended.status == 0, ended.err
    result = SearchResult.read(out)
    assert (result.strategy, result.evaluator, result.objective) == ("surrogate", scores, "latency")
    assert result.costs["latency on board"] <= result.limits["latency on board"] == pytest.approx(0.008)
    assert "cell: latency on board" in ended.out
    assert "validation accuracy after 12 epochs on cifar10, %" in ended.out
    space, architecture = result.open()
    assert space.names(architecture) == result.architecture
    assert command("show", out).status == 0


def test_no_network_within_a_limit_is_the_answer_no(command: Command, scores: str, tmp_path: Path) -> None:
    ended = command("search", "--evaluator", scores, "--limit", "latency@board=1us", "--out", tmp_path / "cell.json")
    assert ended.status == 1
    assert "the cheapest needs 1 ms" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["small.npz"]


def test_a_front_is_written_and_shown(command: Command, scores: str, tmp_path: Path) -> None:
    out = tmp_path / "front.json"
    search = ("search", "--evaluator", scores, "--pareto", "latency@board,parameters", "--budget", 40, "--out", out)
    ended = command(*search)
    assert ended.status == 0, ended.err
    result = SearchResult.read(out)
    assert (result.strategy, result.limit, result.limits) == ("nsga2", None, {})
    assert len(result.front) > 1
    assert result.front[0].architecture == result.architecture
    assert "M parameters" in ended.out
    assert f"{result.front[-1].score:.4g}" in ended.out


def test_a_finished_search_is_told_again_and_a_new_one_begun_on_request(
    command: Command, scores: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = ("search", "--evaluator", scores, "--limit", "latency@board=8ms", "--budget", 25, "--json")
    search = (*search, "--out", tmp_path / "cell.json")
    first = command(*search)
    with monkeypatch.context() as patch:
        patch.setattr("search.evaluators.tabular.TabularEvaluator.score", None)
        assert command(*search).json == first.json
    other = command(*search, "--seed", 1)
    assert other.status == 2
    assert "with other seed" in other.err
    anew = command(*search, "--seed", 1, "--no-resume")
    assert anew.status == 0, anew.err
    assert "cell.search.trials.jsonl.old" in anew.err
    assert anew.json["seed"] == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_scalars_are_written_for_tensorboard(command: Command, scores: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the package tensorboard is not installed")
    search = ("search", "--evaluator", scores, "--limit", "latency@board=8ms", "--budget", 3)
    ended = command(*search, "--tensorboard", tmp_path / "scalars", "--out", tmp_path / "cell.json")
    assert ended.status == 0, ended.err
    assert list((tmp_path / "scalars").glob("events.out.tfevents.*"))


def test_scores_are_kept_beside_the_result_or_where_it_is_said(command: Command, tmp_path: Path) -> None:
    search = ("search", "--input", "32x64", "--limit", "macs=70%", "--evaluator", "synflow", "--budget", 2)
    assert command(*search, "--strategy", "random", "--out", tmp_path / "a.json").status == 0
    kept = (tmp_path / "a.scores.jsonl").read_text()
    assert len(kept.splitlines()) == 2
    shared = tmp_path / "shared.jsonl"
    shared.write_text(kept)
    again = command(*search, "--strategy", "random", "--cache", shared, "--out", tmp_path / "b.json")
    assert again.status == 0, again.err
    assert shared.read_text() == kept
    assert not (tmp_path / "b.scores.jsonl").exists()


def test_a_space_of_the_user_is_searched_for_several_limits_at_once(
    command: Command, dummy_table: Path, tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text(
        "from search import open_space\n\n\n"
        "def space(input_size=(32, 64), classes=11, precision='fp32'):\n"
        "    return open_space('demo', input_size, classes, precision)\n\n\n"
        "def score(space, architecture):\n"
        "    return space.network(architecture).digest.count('a')\n"
    )
    own = tmp_path / "own.py"
    limits = ("--limit", "latency@dummy=70%", "--limit", "latency@pi=80%", "--limit", "memory=110%")
    tables = ("--table", dummy_table, "--table", f"pi={dummy_table}")
    search = ("search", "--space", f"{own}:space", "--evaluator", f"{own}:score", "--budget", 25)
    ended = command(*search, *limits, *tables, "--out", tmp_path / "own.json", "--json")
    assert ended.status == 0, ended.err
    costs: Mapping[str, float] = ended.json["costs"]
    assert all(costs[title] <= limit for title, limit in ended.json["limits"].items())
    assert set(costs) == {"latency on dummy", "latency on pi", "memory"}
    assert ended.json["strategy"] == "surrogate"


def test_a_supernet_scores_what_another_strategy_proposes(command: Command, tmp_path: Path) -> None:
    config = tmp_path / "quick.toml"
    config.write_text(
        "[search]\nwarm_up_steps = 1\nalternating_steps = 1\nbatch_size = 2\nrecalibration_batches = 1\n"
        "score_images = 2\n[train]\nimages = 4\n"
    )
    search = ("search", "--input", "32x64", "--limit", "memory=110%", "--config", config, "--budget", 3)
    ended = command(*search, "--out", tmp_path / "found.json", "--json")
    assert ended.status == 0, ended.err
    assert (ended.json["evaluator"], ended.json["strategy"]) == ("supernet", "surrogate")
    assert ended.json["cost"] <= ended.json["limit"]
    assert command(*search, "--out", tmp_path / "found.json", "--json").json == ended.json


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--warm-up", "warm.safetensors"), "--warm-up keeps a supernet"),
        (("--cache", "scores.jsonl"), "Leave out --cache"),
        (("--strategy", "differentiable"), "Leave out --strategy differentiable"),
        (("--strategy", "evolutoin"), "Did you mean 'evolution'"),
        (("--space", "demo"), "leave out --space demo"),
        (("--confidence", "90%"), "does not say how sure"),
        (("--pareto", "macs", "--strategy", "surrogate"), "looks at the score alone"),
        (("--data", "objects"), "leave out --data"),
        (("--config", "long.toml"), "does not train"),
        (("--strategy", "diferentiable"), "Did you mean 'differentiable'"),
    ],
)
def test_options_that_do_not_fit_are_refused_with_what_to_do(
    command: Command, scores: str, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    search = ("search", "--evaluator", scores, "--limit", "latency@board=8ms", "--out", tmp_path / "cell.json")
    ended = command(*search, *words)
    assert ended.status == 2
    assert said in ended.err


def test_a_differentiable_search_keeps_its_scores_itself(command: Command, tmp_path: Path) -> None:
    ended = command("search", "--limit", "macs=70%", "--cache", tmp_path / "x.jsonl", "--out", tmp_path / "found.json")
    assert ended.status == 2
    assert "Leave out --cache" in ended.err


@pytest.mark.skipif(not (DATA / "nasbench201.npz").exists(), reason="PACELINE_DATA has no nasbench201.npz")
def test_the_real_benchmark_is_searched(command: Command, tmp_path: Path) -> None:
    search = ("search", "--evaluator", f"{DATA / 'nasbench201.npz'}:{SCORE}", "--limit", "latency@raspi4=60%")
    ended = command(*search, "--budget", 40, "--out", tmp_path / "cell.json", "--json")
    assert ended.status == 0, ended.err
    assert ended.json["score"] > 70
    assert ended.json["cost"] <= ended.json["limit"]


@pytest.mark.skipif(not (DATA / "accel_nasbench.npz").exists(), reason="PACELINE_DATA has no accel_nasbench.npz")
def test_networks_that_nobody_here_can_build_are_found_and_go_no_further(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "network.json"
    search = ("search", "--evaluator", f"{DATA / 'accel_nasbench.npz'}:val_top1", "--limit", "macs=90%")
    ended = command(*search, "--strategy", "random", "--budget", 5, "--out", out)
    assert ended.status == 0, ended.err
    for refused in (command("show", out), command("compare", out, "--table", tmp_path / "t.jsonl", "--out", tmp_path)):
        assert refused.status == 2
        assert "network is a network of accel_nasbench" in refused.err or "t.jsonl" in refused.err
