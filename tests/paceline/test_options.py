from __future__ import annotations

from pathlib import Path

import torch

from paceline.options import fill_command, use_threads
from search import open_space


def test_the_fill_command_names_everything_that_decides_the_workloads() -> None:
    command = fill_command(open_space("demo", (64, 128), 5), Path("t.jsonl"))
    assert command == "profile-device --target local --space demo --input 64x128 --classes 5 --out t.jsonl"


def test_threads_are_left_alone_unless_asked_for() -> None:
    before = torch.get_num_threads()
    use_threads(None)
    assert torch.get_num_threads() == before
    use_threads(1)
    assert torch.get_num_threads() == 1
    torch.set_num_threads(before)
