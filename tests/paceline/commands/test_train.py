"""``paceline train``: one network, by one process or by two, with a teacher, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from paceline.commands.train import _command
from search import Comparison, SearchResult, TrainedNetwork, open_images, open_space, trained_weights
from tests.paceline.conftest import Command

torch = pytest.importorskip("torch", reason="torch is not installed; networks are trained with it")
from search import Ranks  # noqa: E402 - it imports torch

ROOT = Path(__file__).resolve().parents[3]

RECIPE = """
[train]
steps = 4
batch_size = 8
rate = 0.05
images = 8
test_images = 3
"""

# What torchrun starts: the command line, in which each process keeps a copy of the weights that it ended with; and of
# those that it ends with when the training is stopped after two steps and gone on with.
KEEPING = """
import os
from copy import deepcopy
from pathlib import Path
from safetensors.torch import save_file
from search import training
from paceline.command_line import main

trained = training.train_network
training.CHECKPOINT_EVERY_S = -1.0

class Stopped(Exception):
    pass

def die(done, steps):
    if done == 3:
        raise Stopped

def keep(network, name):
    tensors = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    save_file(tensors, Path(os.environ["KEPT"]) / f"{name}{os.environ['RANK']}.safetensors")

def kept(network, images, recipe, seed, checkpoint, tell, **more):
    begun, resumed = deepcopy(network), deepcopy(network)
    stopped = checkpoint.with_name("stopped.safetensors")
    pace = trained(network, images, recipe, seed, checkpoint, tell, **more)
    try:
        trained(begun, images, recipe, seed, stopped, die, **more)
    except Stopped:
        pass
    assert trained(resumed, images, recipe, seed, stopped, **more).steps == 2
    keep(network, "whole")
    keep(resumed, "resumed")
    return pace

training.train_network = kept
main()
"""


def network_file(folder: Path, name: str = "small", architecture: tuple[str, ...] = ("k3e1g1",) * 10) -> Path:
    result = SearchResult(
        name=name,
        space="demo",
        input_size=(32, 64),
        classes=11,
        architecture=architecture,
        objective="macs",
        limit=None,
        cost=1.0,
        score=0.0,
        seed=0,
        data="",
        recipe={},
    )
    result.write(folder / f"{name}.json")
    return folder / f"{name}.json"


@pytest.fixture
def words(tmp_path: Path) -> tuple[object, ...]:
    """What trains a small network for four steps."""
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return ("train", network_file(tmp_path), "--config", tmp_path / "recipe.toml", "--device", "cpu")


def loss(network: torch.nn.Module) -> float:
    """With the statistics of the images themselves: running ones are of little worth after so few steps."""
    from search.distillation import cross_entropy
    from search.training import scoring_batches

    pictures, labels = next(scoring_batches(open_images("scenes", "train", (32, 64), count=8)).all_batches())
    with torch.inference_mode():
        return float(cross_entropy(network.train()(pictures), labels))


def test_a_network_is_trained_and_scored_and_can_be_exported(
    command: Command, words: tuple[object, ...], tmp_path: Path
) -> None:
    out = tmp_path / "trained"
    ended = command(*words, "--out", out, "--json")
    assert ended.status == 0, ended.err
    trained = TrainedNetwork.read(out / "small.train.json")
    assert ended.json["score"] == trained.score
    assert (trained.measure, trained.steps, trained.processes, trained.device) == ("mIoU", 4, 1, "cpu")
    assert trained.data == "trained on generated scenes, train (8 images), scored on generated scenes, test (3 images)"
    assert 0 <= trained.score < 1
    space = open_space("demo", (32, 64), 11)
    found = trained_weights(space, space.architecture(trained.architecture), out / trained.weights)
    assert found.conditions["steps"] == 4
    assert trained.weights_sha256[:16] in found.origin


def test_the_same_command_only_says_it_again(command: Command, words: tuple[object, ...], tmp_path: Path) -> None:
    first = command(*words, "--out", tmp_path)
    before = (tmp_path / "small.safetensors").read_bytes()
    second = command(*words, "--out", tmp_path)
    assert (first.status, first.out) == (second.status, second.out) == (0, second.out)
    assert (tmp_path / "small.safetensors").read_bytes() == before


def test_a_comparison_goes_on_with_what_was_trained(
    command: Command,
    words: tuple[object, ...],
    dummy_table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Networks can be trained on several machines, or by several processes, and then be compared."""
    # Writing the graph, measuring and drawing take longer than all the rest and have tests of their own.
    monkeypatch.setattr("search.compare.export_onnx", lambda workload, network: b"")
    monkeypatch.setattr("search.compare.fill", lambda *_, **__: None)
    monkeypatch.setattr("paceline.report.write_report", lambda comparison, path: None)
    trained = command(*words, "--out", tmp_path, "--json").json
    before = (tmp_path / "small.safetensors").read_bytes()
    place = ("--table", dummy_table, "--runtime", "dummy", "--rounds", 1, "--references", 0)
    ended = command("compare", words[1], *place, *words[2:4], "--out", tmp_path)
    assert ended.status == 0, ended.err
    assert (tmp_path / "small.safetensors").read_bytes() == before
    assert Comparison.read(tmp_path / "compare.json").networks[0].miou == trained["score"]


def test_a_network_learns_from_another(command: Command, words: tuple[object, ...], tmp_path: Path) -> None:
    teacher = network_file(tmp_path, "teacher", ("k5e6g1",) * 10)
    taught_by = ("train", teacher, *words[2:], "--out", tmp_path)
    assert command(*taught_by).status == 0
    plain = command(*words, "--out", tmp_path / "plain", "--json")
    learning = ("--teacher", teacher, "--teacher-weights", tmp_path / "teacher.safetensors")
    taught = command(*words, *learning, "--out", tmp_path / "taught", "--json")
    assert taught.status == 0, taught.err
    assert taught.json["teacher"] == str(teacher)
    assert taught.json["weights_sha256"] != plain.json["weights_sha256"]
    lacking = command(*words, "--teacher", teacher, "--out", tmp_path / "taught")
    assert lacking.status == 2
    assert "give both --teacher and --teacher-weights" in lacking.err
    wrong = command(*words, *learning[:3], tmp_path / "plain" / "small.safetensors", "--out", tmp_path / "taught")
    assert wrong.status == 2
    assert "holds the weights of another network" in wrong.err


def test_a_published_network_tells_the_classes_that_there_are(command: Command, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("steps = 4", "steps = 1").replace("images = 8", "images = 4"))
    published = ("train", "mac_small", "--input", "32x64", "--config", tmp_path / "recipe.toml", "--device", "cpu")
    ended = command(*published, "--out", tmp_path, "--json")
    assert ended.status == 0, ended.err
    assert (ended.json["name"], ended.json["classes"]) == ("mac_small", 11)
    unfit = command(*published, "--data", "objects", "--out", tmp_path)
    assert unfit.status == 2
    assert "need images with a class for every pixel" in unfit.err


def test_a_training_that_diverges_is_no_answer(
    command: Command, words: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.training.CHECKPOINT_EVERY_S", 1e9)  # After the first step weights are finite yet.
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("rate = 0.05", "rate = 1e30"))
    ended = command(*words, "--out", tmp_path)
    assert ended.status == 1
    assert "The training of small diverged" in ended.err
    assert not (tmp_path / "small.safetensors").exists()


def test_a_split_without_labels_is_refused_before_the_training(
    command: Command, words: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.LabelledImages.has_labels", lambda images: not images.name.endswith("test"))
    ended = command(*words, "--out", tmp_path / "out")
    assert ended.status == 2
    assert "generated scenes, test has no labelled pixel" in ended.err
    assert "another --split, such as val" in ended.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("ranks", "command"),
    [
        (Ranks(), "paceline train small.json"),
        (Ranks(0, 2, here=2), "torchrun --nproc-per-node 2 -m paceline train small.json"),
        (Ranks(0, 8, here=4), "torchrun --nproc-per-node 4 -m paceline train small.json  # and 4 processes elsewhere"),
    ],
)
def test_the_command_line_is_kept_with_what_started_it(
    monkeypatch: pytest.MonkeyPatch, ranks: Ranks, command: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["paceline", "train", "small.json"])
    assert _command(ranks) == command


def test_two_processes_train_one_network(command: Command, words: tuple[object, ...], tmp_path: Path) -> None:
    """As torchrun starts them: the same steps as one process, the same weights in both, and about the same loss."""
    from safetensors.torch import load_file

    (tmp_path / "keeping.py").write_text(KEEPING)
    two, one = tmp_path / "two", tmp_path / "one"
    run = (
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        2,
        tmp_path / "keeping.py",
    )
    environment = {**os.environ, "KEPT": str(tmp_path), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(word) for word in (*run, *words, "--out", two, "--json")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    trained = TrainedNetwork.read(two / "small.train.json")
    assert (trained.processes, trained.steps) == (2, 4)
    assert trained.command.startswith("torchrun --nproc-per-node 2 -m paceline train ")

    first, *others = [
        load_file(tmp_path / f"{name}.safetensors") for name in ("whole0", "whole1", "resumed0", "resumed1")
    ]
    for name, tensor in first.items():
        assert tensor.isfinite().all()
        for other in others:
            assert torch.equal(tensor, other[name]), name

    alone = command(*words, "--out", one, "--json")
    assert (alone.json["processes"], alone.json["steps"]) == (1, 4)
    space = open_space("demo", (32, 64), 11)
    architecture = space.architecture(trained.architecture)
    losses = [loss(trained_weights(space, architecture, out / trained.weights).module) for out in (one, two)]
    assert losses[0] == pytest.approx(losses[1], rel=0.4)
    # One process goes on where two have ended, and scores as they do together.
    again = command(*words, "--out", two, "--json")
    assert again.json["weights_sha256"] == trained.weights_sha256
    assert again.json["score"] == pytest.approx(trained.score)
