"""``paceline targets``: the devices that can be measured on."""

from __future__ import annotations

from dataclasses import asdict

from devices import load_catalog
from paceline.options import Json
from paceline.screen import show_json, show_table


def targets(as_json: Json = False) -> None:
    """List the targets that profile-device knows."""
    catalog = load_catalog()
    if as_json:
        show_json([asdict(target) for target in catalog.values()])
        return
    rows = [(t.name, t.description, t.family, t.runtime, t.precision) for t in catalog.values()]
    show_table("targets", ("target", "what", "family", "runtime", "precision"), rows, left=5)
