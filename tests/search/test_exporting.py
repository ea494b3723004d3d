"""ONNX files that compute what torch does, at every size that they say they do, and the weights that go into them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from devices import NoAnswer, WrongUse
from latency import AxisRange, BuiltEngine, output_difference, plug_in_files
from search import (
    Architecture,
    Comparison,
    Interval,
    LabelledImages,
    NetworkResult,
    Space,
    TrainedNetwork,
    TrainRecipe,
    engine_words,
    exported_onnx,
    open_space,
    random_weights,
    train_network,
    trained_weights,
    write_shipped,
)
from search.checkpoint import load_checkpoint, save_checkpoint
from search.exporting import _why_not
from tests.search.test_model_card import CARD

torch = pytest.importorskip("torch", reason="torch is not installed; networks are built of its modules")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; files are run by it")

SIZE = (48, 64)


@pytest.fixture(scope="module")
def space() -> Space:
    return open_space("demo", SIZE, 3)


@pytest.fixture(scope="module")
def network(space: Space) -> Architecture:
    """All kinds of skips, and a dilated block."""
    return space.architecture(("skip", "k3e1g1", "skip", "skip", "k5e1g2", "skip", "skip", "k3e3g1d2", "skip", "skip"))


def test_a_file_says_how_it_is_used_and_what_it_is(space: Space, network: Architecture) -> None:
    import onnxruntime

    module = random_weights(space, network).module
    found = exported_onnx(space, network, module, dynamic=True, notes={"classes": '["road", "sky", "tree"]'})
    session = onnxruntime.InferenceSession(found.model, providers=["CPUExecutionProvider"])
    assert [(x.name, x.type, x.shape) for x in (*session.get_inputs(), *session.get_outputs())] == [
        ("input_0", "tensor(float)", ["batch", 3, "height", "width"]),
        ("output", "tensor(float)", ["batch", 3, "height", "width"]),
    ]
    known = session.get_modelmeta().custom_metadata_map
    assert (known["space"], known["input_size"], known["precision"]) == ("demo", "48x64", "fp32")
    assert space.architecture(tuple(known["architecture"].split())) == network
    assert json.loads(known["mean"]) == [0.485, 0.456, 0.406]
    assert json.loads(known["classes"])[1] == "sky"
    assert known["open_height"] == "32 to 784"


def test_a_fixed_file_computes_what_torch_does(space: Space, network: Architecture) -> None:
    found = exported_onnx(space, network, random_weights(space, network).module)
    assert found.worst.relative < 1e-4
    assert {difference.input_shape for difference in found.differences} == {(1, 3, *SIZE)}
    assert found.shape.ranges == {}
    assert "fixed size" in found.describe()
    assert "onnxruntime" in found.describe()


def test_an_open_file_computes_what_the_network_of_each_other_size_does(space: Space, network: Architecture) -> None:
    found = exported_onnx(space, network, random_weights(space, network).module, dynamic=True)
    shapes = {difference.input_shape for difference in found.differences}
    assert shapes == {(1, 3, *SIZE), (3, 3, *SIZE), (1, 3, 41, 49), (1, 3, 32, 32), (1, 3, 48, 49), (1, 3, 51, 70)}
    assert found.worst.relative < 1e-4
    assert found.shape.ranges == {"batch": AxisRange(1), "height": AxisRange(32, 784), "width": AxisRange(32, 784)}


def test_a_file_of_half_precision_is_near_to_torch(space: Space, network: Architecture) -> None:
    found = exported_onnx(space, network, random_weights(space, network).module, "fp16")
    assert 0 < found.worst.relative < 0.1


def test_axes_that_cannot_stay_open_say_why() -> None:
    cells = open_space("nasbench201", (32, 32), 4)
    architecture = Architecture(cells.name, cells.reference)
    found = exported_onnx(cells, architecture, random_weights(cells, architecture).module, dynamic=True)
    assert set(found.shape.ranges) == {"batch"}
    assert "not known" in found.shape.refused["height"]
    assert {difference.input_shape for difference in found.differences} == {(1, 3, 32, 32), (3, 3, 32, 32)}


def test_a_space_of_one_size_keeps_it_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plug_in_files, "_LOADED", dict(plug_in_files._LOADED))
    file = tmp_path / "my_space.py"
    file.write_text('from search import open_space\nspace = open_space("demo", (48, 64), 3)\n')
    own = open_space(str(file))
    network = Architecture(own.name, own.reference)
    found = exported_onnx(own, network, random_weights(own, network).module, dynamic=True)
    assert found.shape.ranges == {"batch": AxisRange(1)}
    assert found.shape.refused["height"].startswith("the space cannot be opened at another size: ")
    assert found.shape.refused["width"].endswith("to open it for others.")
    assert {difference.input_shape for difference in found.differences} == {(1, 3, *SIZE), (3, 3, *SIZE)}


def test_weights_whose_outputs_are_not_finite_are_not_exported(space: Space, network: Architecture) -> None:
    module = random_weights(space, network).module
    with torch.no_grad():
        next(module.parameters()).fill_(np.inf)
    with pytest.raises(NoAnswer, match="training diverged"):
        exported_onnx(space, network, module)


def test_a_file_that_computes_something_else_is_not_exported(
    space: Space, network: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = random_weights(space, network, seed=1).module
    from latency import export_onnx

    monkeypatch.setattr("search.exporting.export_onnx", lambda workload, module: export_onnx(workload, other))
    with pytest.raises(NoAnswer, match="does not compute what torch does"):
        exported_onnx(space, network, random_weights(space, network).module)


def test_a_file_whose_output_has_another_shape_is_not_said_to_diverge() -> None:
    class Smaller(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, :, ::2, ::2]

    difference = output_difference(Runner(), Smaller(), "input_0", torch.zeros(1, 3, 4, 8))  # type: ignore[arg-type]
    said = _why_not(difference, 16.0, "fp16")
    assert "its output has the shape (1, 3, 4, 8), and torch's (1, 3, 2, 4)." in said
    assert "nan" not in said
    assert "diverged" not in said


class Runner:
    def run(self, **inputs: np.ndarray) -> np.ndarray:
        return inputs["input_0"]


def test_random_weights_have_outputs_worth_comparing(space: Space, network: Architecture) -> None:
    weights = random_weights(space, network)
    scale = exported_onnx(space, network, weights.module).worst.scale
    assert 1e-3 < scale < 1e3
    assert "random" in weights.origin
    assert not weights.conditions


@pytest.fixture
def trained(space: Space, network: Architecture, patches: Callable[..., LabelledImages], tmp_path: Path) -> Path:
    path = tmp_path / "latency.safetensors"
    module = random_weights(space, network).module
    train_network(module, patches(4, SIZE), TrainRecipe(steps=2, batch_size=2), 0, path)
    return path


def test_trained_weights_are_those_of_the_file(space: Space, network: Architecture, trained: Path) -> None:
    weights = trained_weights(space, network, trained)
    from safetensors.torch import load_file

    kept = load_file(trained)
    assert all(torch.equal(kept[f"network.{name}"], tensor) for name, tensor in weights.module.state_dict().items())
    assert weights.conditions["steps"] == 2
    assert weights.origin.startswith("latency.safetensors (sha256 ")
    assert weights.accuracy is None


def test_accuracy_is_taken_from_the_comparison_beside_them(space: Space, network: Architecture, trained: Path) -> None:
    comparison = Comparison(
        "", {}, {}, "demo", SIZE, (), (), (), (), 0, 0.0, "patches", (), commands=("search", "compare")
    )
    result = NetworkResult("latency", space.names(network), 1, 1, Interval(0, 0, 0), miou=0.5, trained_steps=2)
    replace(comparison, networks=(result,)).write(trained.with_name("compare.json"))
    weights = trained_weights(space, network, trained)
    assert weights.accuracy is not None
    assert (weights.accuracy.miou, weights.accuracy.data, weights.command) == (0.5, "patches", "compare")
    for other in (replace(result, name="macs"), replace(result, trained_steps=3)):
        replace(comparison, networks=(other,)).write(trained.with_name("compare.json"))
        assert trained_weights(space, network, trained).accuracy is None


def test_accuracy_is_taken_from_the_training_alone_where_nothing_was_compared(
    space: Space, network: Architecture, trained: Path
) -> None:
    digest = hashlib.sha256(trained.read_bytes()).hexdigest()
    known = TrainedNetwork(
        "latency", "", "demo", SIZE, 3, space.names(network), trained.name, digest, "patches", 2, "mIoU", 0.4, {}, 0, {}
    )
    replace(known, command="train").write(trained.parent)
    weights = trained_weights(space, network, trained)
    assert weights.accuracy is not None
    assert (weights.accuracy.miou, weights.accuracy.data, weights.command) == (0.4, "patches", "train")
    assert weights.accuracy.measure == "mIoU"
    comparison = Comparison("", {}, {}, "demo", SIZE, (), (), (), (), 0, 0.0, "of another time", ())
    result = NetworkResult("latency", space.names(network), 1, 1, Interval(0, 0, 0), miou=0.9, trained_steps=2)
    replace(comparison, networks=(result,)).write(trained.with_name("compare.json"))
    assert trained_weights(space, network, trained).accuracy == weights.accuracy, "the training knows these bytes"
    trained.with_name("compare.json").unlink()
    replace(known, weights_sha256="of weights that were replaced since").write(trained.parent)
    assert trained_weights(space, network, trained).accuracy is None


def test_weights_of_another_network_are_refused(space: Space, network: Architecture, trained: Path) -> None:
    names = space.names(network)
    dilated = space.architecture(("skip", "k3e1g1d2", *names[2:]))  # Its weights have the same shapes.
    with pytest.raises(WrongUse, match="weights of another network"):
        trained_weights(space, dilated, trained)


def test_a_training_that_is_not_over_says_how_much_is_left(space: Space, network: Architecture, trained: Path) -> None:
    assert trained_weights(space, network, trained).steps_left == 0
    tensors, values = load_checkpoint(trained)
    save_checkpoint(trained, tensors, {**values, "steps": 5})
    assert trained_weights(space, network, trained).steps_left == 3
    assert random_weights(space, network).steps_left == 0


def test_tensors_of_something_else_are_refused_in_one_line(space: Space, network: Architecture, tmp_path: Path) -> None:
    path = tmp_path / "supernet.safetensors"
    save_checkpoint(path, {"supernet.stem": torch.zeros(2)}, {})
    with pytest.raises(WrongUse, match="holds other tensors than this network has") as refused:
        trained_weights(space, network, path)
    assert "\n" not in str(refused.value)


def test_weights_that_are_not_there_are_refused(space: Space, network: Architecture, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="paceline compare"):
        trained_weights(space, network, tmp_path / "typo.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    with pytest.raises(WrongUse, match="holds no weights that paceline trained"):
        trained_weights(space, network, tmp_path / "broken.safetensors")


def test_files_are_written_and_described(tmp_path: Path) -> None:
    out = tmp_path / "out"
    card = write_shipped(out, CARD, {"a.onnx": (b"abc", "three letters")})
    assert sorted(path.name for path in out.iterdir()) == ["a.onnx", "latency.card.json", "latency.card.md"]
    assert (out / "a.onnx").read_bytes() == b"abc"
    (file,) = card.files
    assert (file.name, file.what, file.size_bytes) == ("a.onnx", "three letters", 3)
    assert file.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert json.loads((out / "latency.card.json").read_text())["files"][0]["sha256"] == file.sha256
    assert (out / "latency.card.md").read_text() == card.markdown()


def test_where_the_disk_is_full_all_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shipped(tmp_path, CARD, {"a.onnx": (b"old", "")})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if "card" in path.name:
            write(path, content[:3])
            raise OSError("no space left")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space left"):
        write_shipped(tmp_path, CARD, {"a.onnx": (b"new", "")})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_stopped_between_the_files_no_card_is_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shipped(tmp_path, CARD, {"a.onnx": (b"old", ""), "b.onnx": (b"old", "")})
    replace_file = Path.replace

    def stopped(path: Path, target: Path) -> Path:
        if target.name == "b.onnx":
            raise KeyboardInterrupt
        return replace_file(path, target)

    monkeypatch.setattr(Path, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_shipped(tmp_path, CARD, {"a.onnx": (b"new", ""), "b.onnx": (b"new", "")})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx", "b.onnx"]


def test_an_engine_says_where_it_runs() -> None:
    words = engine_words(BuiltEngine(b"", "tensorrt 10.3.0", "H100", "fp16"), (96, 192))
    assert words.startswith("engine of tensorrt 10.3.0 for batch 1 at 96x192, fp16; it runs on H100")
