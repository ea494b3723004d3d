"""What is already known? Times and fits nothing itself."""

from lut.calibrating import blocks_of, calibrated, is_network, networks_of
from lut.checking import Concern, Example, Findings, check
from lut.difference import TOLERANCE, CommonFactor, Difference, RowDifference, compare_tables
from lut.doubts import is_doubtful
from lut.filling import (
    FillSummary,
    Progress,
    Start,
    fill,
    fresh_processes,
    in_this_process,
    refuse_other_environment,
)
from lut.lookup import Lookup, measurable, sum_of_picks
from lut.rows import Key, Unmeasured, key_of
from lut.table import Table
from lut.table_file import TableWriter, appending, repair

__all__ = [
    "TOLERANCE",
    "CommonFactor",
    "Concern",
    "Difference",
    "Example",
    "FillSummary",
    "Findings",
    "Key",
    "Lookup",
    "Progress",
    "RowDifference",
    "Start",
    "Table",
    "TableWriter",
    "Unmeasured",
    "appending",
    "blocks_of",
    "calibrated",
    "check",
    "compare_tables",
    "fill",
    "fresh_processes",
    "in_this_process",
    "is_doubtful",
    "is_network",
    "key_of",
    "measurable",
    "networks_of",
    "refuse_other_environment",
    "repair",
    "sum_of_picks",
]
