"""The report that `paceline report` writes: one HTML page on what a comparison found."""

from paceline.report.page import render_report, write_report

__all__ = ["render_report", "write_report"]
