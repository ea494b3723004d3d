"""Operators: what a workload can be. A new one is one file and one line here."""

from latency.operators.blocks import ConvolutionBlock, FactorizedReduce, Identity, InvertedResidual, Projection
from latency.operators.contract import OPERATORS, Operator, operator_of
from latency.operators.convolutions import GroupedConvolution, ResidualConvolution
from latency.operators.decoders import AsppDecoder, LiteAsppDecoder
from latency.operators.layer import Layer
from latency.operators.network import NetworkOperator, network_workload, parts

for _operator in (
    ConvolutionBlock(),
    GroupedConvolution(),
    ResidualConvolution(),
    InvertedResidual(),
    Identity(),
    FactorizedReduce(),
    Projection(),
    LiteAsppDecoder(),
    AsppDecoder(),
    NetworkOperator(),
):
    OPERATORS.add(_operator)

__all__ = ["OPERATORS", "Layer", "Operator", "network_workload", "operator_of", "parts"]
