"""Operators: what a workload can be. A new one is one file and one line here."""

from latency.operators.blocks import ConvolutionBlock, FactorizedReduce, Identity, InvertedResidual, Projection
from latency.operators.cell_operations import (
    AveragePool,
    MaxPool,
    NormalisedActivation,
    ReluConvolution,
    ResidualReduction,
    SeparableConvolution,
)
from latency.operators.contract import OPERATORS, Operator, operator_of
from latency.operators.contract import flag as flag_attribute
from latency.operators.contract import integer as integer_attribute
from latency.operators.contract import text as text_attribute
from latency.operators.convolutions import GroupedConvolution, ResidualConvolution
from latency.operators.decoders import AsppDecoder, LiteAsppDecoder
from latency.operators.fbnet_blocks import DoubleDepthwiseResidual, ShuffledResidual
from latency.operators.graph import GraphOperator, NetworkGraph, chain_workload
from latency.operators.layer import Layer
from latency.operators.layer import convolution as convolution_layer
from latency.operators.mobile_blocks import ActivatedConvolution, Classifier, GlobalAveragePool, MobileBlock
from latency.operators.network import NetworkOperator, is_network, network_workload, parts

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
    MobileBlock(),
    ActivatedConvolution(),
    GlobalAveragePool(),
    Classifier(),
    ShuffledResidual(),
    DoubleDepthwiseResidual(),
    ReluConvolution(),
    SeparableConvolution(),
    AveragePool(),
    MaxPool(),
    ResidualReduction(),
    NormalisedActivation(),
    NetworkOperator(),
    GraphOperator(),
):
    OPERATORS.add(_operator)

__all__ = [
    "OPERATORS",
    "Layer",
    "NetworkGraph",
    "Operator",
    "chain_workload",
    "convolution_layer",
    "flag_attribute",
    "integer_attribute",
    "is_network",
    "network_workload",
    "operator_of",
    "parts",
    "text_attribute",
]
