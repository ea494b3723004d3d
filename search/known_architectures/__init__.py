"""Architectures of spaces that are known only as pairs of an architecture and its latency."""

from search.known_architectures.accel_nasbench import AccelNasBench
from search.known_architectures.fbnet import FbnetPicks
from search.known_architectures.measured import MeasuredArchitectures
from search.known_architectures.nasbench201 import NasBench201Cells
from search.known_architectures.ofa import OfaMobileNetV3

__all__ = ["AccelNasBench", "FbnetPicks", "MeasuredArchitectures", "NasBench201Cells", "OfaMobileNetV3"]
