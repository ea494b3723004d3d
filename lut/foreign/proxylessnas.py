"""ProxylessNAS' table of mobile blocks (Cai, Zhu and Han, arXiv 1812.00332), as its ``LatencyTools`` hold it."""

from __future__ import annotations

from typing import final

from devices import Device
from latency import Workload
from lut.foreign.mobile_keys import BadKeyError, MobileKey, block_key, plain_layer
from lut.foreign.mobile_layers import activated_convolution, as_mbconv, classifier, mobile_block
from lut.foreign.mobile_yaml import MobileYaml, speaks_ofa
from lut.foreign.origins import Origin

_ACTIVATION = "relu6"

_FIELDS = ("expand", "kernel", "stride", "idskip")


@final
class ProxylessNas(MobileYaml):
    """``expand`` is the ratio of hidden to input channels, activations are ReLU6, and ``Logits`` has the pool."""

    name = "proxylessnas"
    spread = "var"
    published = (
        (
            r"(mobile|pixel)_trim[^/]*\.ya?ml$",
            Origin(
                "",
                device=Device("cpu", "Google Pixel 1", "aarch64"),
                runtime="TensorFlow Lite",
                precision="fp32",
                evidence="arXiv 1812.00332 (Pixel 1) and the benchmark log in mit-han-lab/proxylessnas (TensorFlow "
                "Lite, float), by the name of the file",
            ),
        ),
    )

    def looks_like(self, head: bytes) -> bool:
        """Whether most keys of blocks end with ``idskip``."""
        return speaks_ofa(head) is False

    def workload(self, key: str, precision: str = "fp32") -> Workload:
        """What ``key`` names."""
        layer, source, channels, fields = MobileKey.parse(key, _FIELDS)
        if layer == "Conv":
            return activated_convolution(
                source, channels, activation=_ACTIVATION, kernel=3, stride=2, precision=precision
            )
        if layer == "Conv_1":
            return activated_convolution(source, channels, activation=_ACTIVATION, precision=precision)
        if layer == "Logits":
            return classifier(source, channels, pool=True, precision=precision)
        if layer != "expanded_conv":
            raise BadKeyError("is of Once-for-All; ProxylessNAS has no such layer")
        return mobile_block(
            source,
            channels,
            kernel=fields["kernel"],
            stride=fields["stride"],
            hidden=fields["expand"] * source[0],
            activation=_ACTIVATION,
            skip=bool(fields["idskip"]),
            precision=precision,
        )

    def key(self, workload: Workload) -> str | None:
        """The key of ``workload``; None when there is none."""
        block = as_mbconv(workload)
        if block is None:
            return plain_layer(workload, activation=_ACTIVATION, pool=1)
        hidden, source = block["hidden"], workload.inputs[0][0]
        if block["activation"] != _ACTIVATION or block["se"] or not isinstance(hidden, int) or hidden % source:
            return None
        said = (hidden // source, block["kernel"], block["stride"], block["skip"])
        return block_key(workload, block, dict(zip(_FIELDS, said, strict=True)))
