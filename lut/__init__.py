"""What is already known? Times and fits nothing itself."""

from lut.filling import FillSummary, Progress, fill, refuse_other_environment
from lut.lookup import Lookup, measurable, sum_of_picks
from lut.table import Key, Table, TableWriter, appending, key_of, repair

__all__ = [
    "FillSummary",
    "Key",
    "Lookup",
    "Progress",
    "Table",
    "TableWriter",
    "appending",
    "fill",
    "key_of",
    "measurable",
    "refuse_other_environment",
    "repair",
    "sum_of_picks",
]
