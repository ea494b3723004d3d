"""Once-for-All's tables of MobileNetV3 blocks (Cai et al., arXiv 1908.09791), one file for each image size."""

from __future__ import annotations

from typing import final

from devices import Device
from latency import Workload
from lut.foreign.mobile_keys import MobileKey, block_key, plain_layer
from lut.foreign.mobile_layers import activated_convolution, as_mbconv, classifier, global_pool, mobile_block
from lut.foreign.mobile_yaml import MobileYaml, speaks_ofa
from lut.foreign.origins import Origin

_ACTIVATION = "h_swish"
"""Of all layers that are no blocks; blocks say theirs."""

_FIELDS = ("expand", "kernel", "stride", "idskip", "se", "hs")


@final
class OnceForAll(MobileYaml):
    """``expand`` is the number of hidden channels, ``hs`` tells hard swish from ReLU, ``Logits`` comes after the pool.

    ``Conv_2`` is the 1x1 convolution between the pool and the classifier; it has no batch normalisation.
    """

    name = "ofa"
    spread = "std"
    published = (
        (
            r"note10.*\.ya?ml$",
            Origin(
                "",
                device=Device("cpu", "Samsung Galaxy Note10", "aarch64"),
                evidence="the names of the files, latency_table@note10 of mit-han-lab/once-for-all",
            ),
        ),
    )

    def looks_like(self, head: bytes) -> bool:
        """Whether most keys of blocks say ``se`` and ``hs``."""
        return speaks_ofa(head) is True

    def workload(self, key: str, precision: str = "fp32") -> Workload:
        """What ``key`` names."""
        layer, source, channels, fields = MobileKey.parse(key, _FIELDS)
        if layer == "AvgPool2D":
            return global_pool(source, precision)
        if layer == "Logits":
            return classifier(source, channels, pool=False, precision=precision)
        if layer != "expanded_conv":
            size = {"kernel": 3, "stride": 2} if layer == "Conv" else {}
            return activated_convolution(
                source, channels, activation=_ACTIVATION, norm=layer != "Conv_2", precision=precision, **size
            )
        return mobile_block(
            source,
            channels,
            kernel=fields["kernel"],
            stride=fields["stride"],
            hidden=fields["expand"],
            activation="h_swish" if fields["hs"] else "relu",
            skip=bool(fields["idskip"]),
            se=bool(fields["se"]),
            precision=precision,
        )

    def key(self, workload: Workload) -> str | None:
        """The key of ``workload``; None when there is none."""
        block = as_mbconv(workload)
        if block is None:
            return plain_layer(workload, activation=_ACTIVATION, pool=0)
        if block["activation"] not in ("relu", "h_swish"):
            return None
        swish = int(block["activation"] == "h_swish")
        said = (block["hidden"], block["kernel"], block["stride"], block["skip"], block["se"], swish)
        return block_key(workload, block, dict(zip(_FIELDS, said, strict=True)))
