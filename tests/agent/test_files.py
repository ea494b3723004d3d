"""Small files in old Pythons; what is read of them is tested in tests/devices/test_files.py."""

from __future__ import annotations

from pathlib import Path

from tests.agent.old_pythons import run_alone


def test_old_pythons_read_texts_and_numbers(tmp_path: Path, old_python: Path, copied_agent: Path) -> None:
    (tmp_path / "model").write_bytes(b" Caf\xe9\0")
    (tmp_path / "temp").write_text("41000\n")
    code = (
        "from pathlib import Path\nfrom agent.files import number, numbers, text\n"
        f"root = Path({str(tmp_path)!r})\n"
        "assert text(root / 'model') == 'Caf\\N{REPLACEMENT CHARACTER}', text(root / 'model')\n"
        "assert text(root / 'nothing') is None\n"
        "assert number(root / 'model') is None\n"
        "assert numbers([str(root / 'temp'), str(root / 'nothing')]) == [41000.0]\n"
    )
    done = run_alone(old_python, copied_agent, code)
    assert (done.returncode, done.stderr) == (0, "")
