from torch import nn

import artcolor
from tests.models.base import ReleasedModelTester


class TestAE(ReleasedModelTester):
    builder = staticmethod(artcolor.ae)
    small = {"width": 48}
    weights = "ae.art_v2"


def test_topology_is_that_of_the_report() -> None:
    network = artcolor.ae(width=48).network
    kinds = [type(module) for module in network.modules()]
    assert kinds.count(nn.Conv2d) == 8
    assert kinds.count(nn.ConvTranspose2d) == 2
    assert sum(isinstance(module, nn.Conv2d) for module in artcolor.ae(width=48).head.modules()) == 1
