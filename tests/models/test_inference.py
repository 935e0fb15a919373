import gc
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

import artcolor
from artcolor.models.base import ColorizationModel
from artcolor.models.heads import DistributionHead
from artcolor.models.inference import inference_copy
from artcolor.models.network import Network


def randomized(model: ColorizationModel) -> ColorizationModel:
    """Sets every parameter and every statistic to a nontrivial value."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.05)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return model


def norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


@pytest.mark.parametrize("name", ["cnn", "unet", "ae"])
def test_the_copy_predicts_the_same_without_batchnorms(name: str) -> None:
    model = randomized(artcolor.get_model(name, width=24)).eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    fast = inference_copy(model)
    assert norms(model) > 0
    assert norms(fast) == 0
    for size in ((64, 96), (33, 47)):
        light = torch.rand(2, 1, *size) * 100
        torch.testing.assert_close(fast.predict_ab(light), model.predict_ab(light), atol=2e-3, rtol=1e-3)
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], before[key]) for key in before)


class _Odd(Network):
    """A network whose convolution cannot be folded, because its output is also used, or modified, elsewhere."""

    stride = out_stride = 4
    channels = 8
    config: dict[str, int] = {}

    def __init__(self, forward: Callable[["_Odd", Tensor], Tensor]) -> None:
        super().__init__()
        self.conv, self.norm, self.how = nn.Conv2d(1, 8, 4, stride=4), nn.BatchNorm2d(8), forward

    def forward(self, lightness: Tensor) -> Tensor:
        return self.how(self, lightness / 100)


def _relu_between(net: _Odd, x: Tensor) -> Tensor:
    return net.norm(net.conv(x).relu_())


def _also_elsewhere(net: _Odd, x: Tensor) -> Tensor:
    x = net.conv(x)
    return x + net.norm(x)


def _twice(net: _Odd, x: Tensor) -> Tensor:
    return net.norm(net.conv(x)) * net.conv(x.flip(-1))


@pytest.mark.parametrize("forward", [_relu_between, _also_elsewhere, _twice])
def test_a_batchnorm_that_cannot_be_folded_is_kept(forward: Callable[[_Odd, Tensor], Tensor]) -> None:
    model = randomized(ColorizationModel("odd", _Odd(forward), DistributionHead(8))).eval()
    light = torch.rand(1, 1, 32, 32) * 100
    torch.testing.assert_close(inference_copy(model)(light), model(light), atol=1e-4, rtol=1e-4)
    assert norms(inference_copy(model)) == 1


def test_the_copy_is_kept_until_the_model_changes() -> None:
    model = randomized(artcolor.cnn(width=16)).eval()
    light = torch.rand(1, 1, 48, 48) * 100
    first = inference_copy(model)
    assert inference_copy(model) is first
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    model(light).square().mean().backward()
    optimizer.step()
    second = inference_copy(model)
    assert second is not first
    torch.testing.assert_close(second.predict_ab(light), model.predict_ab(light), atol=2e-3, rtol=1e-3)
    model.head.vividness = 2.0
    torch.testing.assert_close(inference_copy(model).predict_ab(light), model.predict_ab(light), atol=5e-3, rtol=1e-3)
    model.load_state_dict(randomized(artcolor.cnn(width=16)).state_dict(), assign=True)
    torch.testing.assert_close(inference_copy(model).predict_ab(light), model.predict_ab(light), atol=5e-3, rtol=1e-3)


def test_the_copy_is_freed_with_the_model() -> None:
    model = artcolor.cnn(width=16)
    fast = weakref.ref(inference_copy(model))
    del model
    gc.collect()
    assert fast() is None


def test_colorizing_does_not_change_a_model_in_training() -> None:
    model = artcolor.cnn(width=16)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with torch.inference_mode():
        artcolor.colorize(torch.rand(1, 40, 50), model)
    assert model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    model.training_loss(torch.rand(2, 1, 32, 32) * 100, torch.zeros(2, 2, 32, 32), step=0, generator=torch.Generator())[
        "loss"
    ].backward()


def test_several_threads_get_the_same_copy() -> None:
    model = artcolor.cnn(width=16)
    with ThreadPoolExecutor(4) as pool:
        assert len({id(copy) for copy in pool.map(lambda _: inference_copy(model), range(16))}) == 1
