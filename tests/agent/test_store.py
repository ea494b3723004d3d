"""ONNX files on the device: whole or not there, and the bytes are read off in any case."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.store import ModelStore, Read
from tests.agent.running_agent import digest_of

CONTENT = b"onnx" * 50_000


def reader(content: bytes, chunk_bytes: int = 1 << 16) -> Read:
    """Reads what a connection brings, in its chunks."""
    left = bytearray(content)

    def read(most_bytes: int) -> bytes:
        part = bytes(left[: min(most_bytes, chunk_bytes)])
        del left[: len(part)]
        if not part:
            raise EOFError("the connection ended")
        return part

    return read


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def put(store: ModelStore, content: bytes) -> None:
    assert store.put(digest_of(content), len(content), reader(content)) is None


def test_a_file_that_came_is_there(store: ModelStore) -> None:
    digest = digest_of(CONTENT)
    assert store.lacks([digest]) == [digest]
    put(store, CONTENT)
    assert store.lacks([digest]) == []
    assert store.path(digest).read_bytes() == CONTENT


def test_an_empty_file_is_a_file(store: ModelStore) -> None:
    put(store, b"")
    assert store.lacks([digest_of(b"")]) == []


def test_a_file_that_came_damaged_is_refused_and_leaves_nothing(store: ModelStore, tmp_path: Path) -> None:
    failed = store.put(digest_of(b"other"), len(CONTENT), reader(CONTENT))
    assert failed is not None
    assert failed["kind"] == "digest"
    assert digest_of(CONTENT) in failed["words"]
    assert list((tmp_path / "models").iterdir()) == []


def test_a_connection_that_is_cut_leaves_no_file(store: ModelStore, tmp_path: Path) -> None:
    with pytest.raises(EOFError):
        store.put(digest_of(CONTENT), len(CONTENT) + 1, reader(CONTENT))
    assert list((tmp_path / "models").iterdir()) == []


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_only_a_digest_names_a_file(store: ModelStore, digest: str) -> None:
    with pytest.raises(ValueError, match="is no SHA-256"):
        store.path(digest)


@contextmanager
def largest_file_bytes(size_bytes: int) -> Iterator[None]:
    """A bound on files, which is refused as a full disk is: Python ignores the signal."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_on_a_full_disk_the_bytes_are_read_off_and_nothing_is_left(store: ModelStore, tmp_path: Path) -> None:
    read = reader(CONTENT + b"next request")
    with largest_file_bytes(1000):
        failed = store.put(digest_of(CONTENT), len(CONTENT), read)
    assert failed is not None
    assert failed["kind"] == "disk full"
    assert failed["free_bytes"] > 0
    assert list((tmp_path / "models").iterdir()) == []
    assert read(100) == b"next request"


def test_what_was_used_longest_ago_is_dropped_from_a_full_disk(small_disk: Path) -> None:
    store = ModelStore(small_disk / "models")
    models = [bytes([number]) * 1_200_000 for number in range(4)]
    for model in models[:3]:
        put(store, model)
    first, second, third, fourth = map(digest_of, models)
    failed = store.put(fourth, 1_200_000, reader(models[3]))
    assert failed is not None
    assert failed["kind"] == "disk full"
    for age, digest in enumerate((third, first, second)):
        os.utime(store.path(digest), (age, age))
    store.use(third)
    assert store.drop(1_200_000, {second}) == [first]
    put(store, models[3])
    assert store.lacks([first, second, third, fourth]) == [first]


def test_dropping_ends_when_there_is_room(store: ModelStore) -> None:
    put(store, CONTENT)
    assert store.drop(1, set()) == []
    assert store.drop(1 << 62, {digest_of(CONTENT)}) == []
    assert store.drop(1 << 62, set()) == [digest_of(CONTENT)]


def test_what_a_killed_runtime_left_beside_the_models_is_dropped_first(store: ModelStore, tmp_path: Path) -> None:
    put(store, CONTENT)
    (tmp_path / "models" / "trtexec-x").mkdir()
    (tmp_path / "models" / "trtexec-x" / "model.engine").write_text("")
    (tmp_path / "models" / "trtexec.timing").write_text("")
    assert store.drop(1, set()) == []
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == [
        f"{digest_of(CONTENT)}.onnx",
        "trtexec.timing",
    ]


def test_an_empty_store_has_nothing_to_drop(store: ModelStore) -> None:
    assert store.drop(1 << 62, set()) == []
