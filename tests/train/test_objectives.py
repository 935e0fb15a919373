import copy
import logging
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

import artcolor
from artcolor.data.dataset import ArtDataset, Sample
from artcolor.errors import ConfigError
from artcolor.models.base import ColorizationModel
from artcolor.models.guidance import Decoding
from artcolor.train.callbacks import Callback
from artcolor.train.config import TrainConfig
from artcolor.train.objectives import objective_for
from artcolor.train.objectives.base import Objective
from artcolor.train.objectives.classification import Classification, Classifier, labels_or_none, read_labels
from artcolor.train.objectives.distillation import Distillation, Teacher
from artcolor.train.trainer import Trainer
from tests.conftest import make_painting

CONFIG = TrainConfig(
    steps=40, batch_size=8, size=32, warmup_steps=2, workers=0, device="cpu", classify=("genre",), learning_rate=5e-3
)


def test_labels_are_the_most_common_values(art: Path) -> None:
    labels = read_labels(ArtDataset(art, "train"), ["genre"])
    assert labels.classes == {"genre": 2}
    assert labels.numbers[:6, 0].tolist() == [0, 1, -1, 0, 1, -1]


def test_labels_become_the_last_tensor_of_a_batch(art: Path) -> None:
    data = ArtDataset(art, "train")
    objective = Classification(Objective(artcolor.unet(width=12)), read_labels(data, ["genre"]))
    lightness, ab, labels = objective.dataset(data)[Sample(1, 0, 32)]
    assert (lightness.shape, ab.shape, labels.tolist()) == ((1, 32, 32), (2, 32, 32), [1])


def test_unknown_labels_are_ignored() -> None:
    classifier = Classifier(artcolor.unet(width=12), {"style": 3, "artist": 5}).eval()
    seen = torch.rand(4, classifier.layers[0].in_features, 2, 2)
    assert classifier(seen, torch.full((4, 2), -1)).item() == 0
    labels = torch.tensor([[-1, -1], [2, -1], [-1, -1], [-1, -1]])
    expected = F.cross_entropy(classifier.layers[0](seen[1:2].mean((2, 3))), torch.tensor([2]), label_smoothing=0.1)
    torch.testing.assert_close(classifier(seen, labels), expected)


def test_classifier_learns_and_is_absent_from_the_result(art: Path, tmp_path: Path) -> None:
    entropies: list[float] = []

    class Watch(Callback):
        def on_step(self, trainer: Trainer, losses: dict[str, float]) -> None:
            entropies.append(losses["classes"])

    torch.manual_seed(0)
    model = artcolor.unet(width=12)
    config = CONFIG.model_copy(update={"steps": 80})
    path = Trainer(model, config, ArtDataset(art, "train"), callbacks=[Watch()], out=tmp_path / "run").fit()
    assert sum(entropies[-8:]) < 0.9 * sum(entropies[:8])
    assert not model.network.encoder._forward_hooks
    assert artcolor.from_pretrained(path).config["network"] == {"width": 12}


def test_folder_without_metadata_trains_without_classify(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(4):
        make_painting(number, 64, 64).save(tmp_path / f"{number}.png")
    data = ArtDataset(tmp_path, None)
    with caplog.at_level(logging.WARNING):
        assert labels_or_none(data, ["genre"]) is None
    assert "training without classify" in caplog.text
    assert "metadata.csv" in caplog.text
    config = CONFIG.model_copy(update={"steps": 2, "batch_size": 2})
    assert Trainer(artcolor.unet(width=12), config, data, out=tmp_path / "run").fit().exists()


def test_column_with_one_value_is_ignored(art: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert labels_or_none(ArtDataset(art, "train"), ["artist"]) is None
    assert "fewer than two values of artist" in caplog.text


def test_classify_requires_an_encoder(art: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cnn has no encoder"):
        Trainer(artcolor.cnn(width=16), CONFIG, ArtDataset(art, "train"), out=tmp_path / "run")


def test_frozen_parts_do_not_change(art: Path, tmp_path: Path) -> None:
    model = artcolor.unet(width=12)
    config = CONFIG.model_copy(update={"steps": 3, "freeze_norms": True, "frozen": ("network.up4",)})
    before = {name: value.clone() for name, value in model.state_dict().items()}
    Trainer(model, config, ArtDataset(art, "train"), out=tmp_path / "run").fit()
    frozen = [name for name in before if name.startswith("network.up4.") or "running_" in name]
    assert len(frozen) > 10
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in frozen)
    assert not torch.equal(model.network.up8.layers[0].weight, before["network.up8.layers.0.weight"])


def _distill(teacher: ColorizationModel, student: ColorizationModel, share: float) -> dict[str, torch.Tensor]:
    light, ab = torch.rand(2, 1, 64, 64) * 100, torch.randn(2, 2, 64, 64) * 20
    objective = Distillation(Objective(student), Teacher(teacher), share)
    losses: dict[str, torch.Tensor] = objective(light, ab, step=0, generator=torch.Generator())
    return losses


def test_student_equal_to_its_teacher_has_no_gradient_from_it() -> None:
    teacher, student = artcolor.unet(weights="DEFAULT"), artcolor.unet(weights="DEFAULT")
    losses = _distill(teacher, student, 1.0)
    assert losses["loss"] == losses["teacher"]
    losses["loss"].backward()
    assert max(float(p.grad.abs().max()) for p in student.parameters() if p.grad is not None) < 1e-4
    student.zero_grad()
    _distill(teacher, student, 0.5)["loss"].backward()
    assert max(float(p.grad.abs().max()) for p in student.parameters() if p.grad is not None) > 1e-2


@pytest.mark.parametrize("name", ["cic", "vae"])
def test_teacher_of_another_family_predicts_the_bins_of_the_student(name: str) -> None:
    teacher, student = artcolor.get_model(name, weights="DEFAULT"), artcolor.cnn(weights="DEFAULT")
    light = torch.rand(2, 1, 64, 96) * 100
    predicted = Teacher(teacher).distribution(light, student.head.codebook, torch.Size((16, 24)))
    assert predicted.shape == (2, student.head.codebook.bins, 16, 24)
    assert student.head.codebook.bins != teacher.head.codebook.bins or name == "vae"
    torch.testing.assert_close(predicted.sum(1), torch.ones(2, 16, 24))
    mean = torch.einsum("nqhw,qc->nchw", predicted, student.head.codebook.centers)
    expected = teacher.predict(light, decoding=Decoding(vividness=0.0, temperature=1.0)).ab
    assert (mean - expected).square().sum(1).mean().sqrt() < 6


def test_student_approaches_its_teacher(art: Path, tmp_path: Path) -> None:
    entropies: list[float] = []

    class Watch(Callback):
        def on_step(self, trainer: Trainer, losses: dict[str, float]) -> None:
            entropies.append(losses["teacher"])

    torch.manual_seed(0)
    config = CONFIG.model_copy(update={"classify": (), "teacher": "cnn", "fit_head": True})
    Trainer(artcolor.cnn(width=16), config, ArtDataset(art, "train"), callbacks=[Watch()], out=tmp_path / "run").fit()
    assert sum(entropies[-8:]) < 0.9 * sum(entropies[:8])


def test_distillation_requires_distributions(art: Path, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"classify": (), "teacher": "cnn_report"})
    with pytest.raises(ConfigError, match="teacher: cnn_report predicts no distribution"):
        Trainer(artcolor.cnn(width=16), config, ArtDataset(art, "train"), out=tmp_path / "run")
    with pytest.raises(ConfigError, match="teacher: vae has a loss of its own"):
        Distillation(Objective(artcolor.vae(width=12)), Teacher(artcolor.cnn(width=16)), 0.5)
    with pytest.raises(ConfigError, match="teacher: cnn_report predicts no distribution"):
        Distillation(Objective(artcolor.cnn_report()), Teacher(artcolor.cnn(width=16)), 0.5)


def test_objectives_nest_and_only_auxiliaries_add_parameters(art: Path) -> None:
    model, data = artcolor.unet(width=12), ArtDataset(art, "train")
    plain = objective_for(model, CONFIG.model_copy(update={"classify": ()}), data)
    assert type(plain) is Objective
    assert plain.auxiliaries() == {}
    both = objective_for(model, CONFIG.model_copy(update={"teacher": "cnn"}), data)
    assert list(both.auxiliaries()) == ["classifier"]
    classifier = both.auxiliaries()["classifier"]
    assert set(both.parameters()) - set(model.parameters()) == set(classifier.parameters())
    light, ab, labels = torch.rand(2, 1, 64, 64) * 100, torch.randn(2, 2, 64, 64) * 20, torch.zeros(2, 1).long()
    losses = both(light, ab, labels, step=0, generator=torch.Generator())
    assert set(losses) == {"loss", "nll", "teacher", "classes"}
    assert copy.deepcopy(both).inner.teacher is both.inner.teacher


def test_a_kernel_learns_and_nothing_else_changes(art: Path, tmp_path: Path) -> None:
    gains: list[float] = []

    class Watch(Callback):
        def on_step(self, trainer: Trainer, losses: dict[str, float]) -> None:
            gains.append(losses["gain"])

    torch.manual_seed(0)
    model = artcolor.cnn(width=16)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    config = TrainConfig(
        steps=80, batch_size=4, size=64, warmup_steps=2, workers=0, device="cpu", kernel=True,
        frozen=("network", "head"), learning_rate=3e-3, ema_decay=0.5,
    )  # fmt: skip
    data = ArtDataset(art, "train")
    trainer = Trainer(model, config, data, data, callbacks=[Watch()], out=tmp_path / "run")
    loaded = artcolor.from_pretrained(trainer.fit())
    assert sum(gains[-20:]) > sum(gains[:20]) + 20, "in dB, of 20 steps each"
    assert loaded.kernel is not None
    for name, tensor in loaded.state_dict().items():
        if not name.startswith("kernel."):
            torch.testing.assert_close(tensor, before[name], atol=1e-3, rtol=1e-3)
    assert trainer.evaluate()["loss"] < -0.5


def test_a_kernel_is_trained_alone(art: Path) -> None:
    config = TrainConfig(steps=1, kernel=True, frozen=("network",), device="cpu")
    with pytest.raises(ConfigError, match=r"frozen: \[network, head\]"):
        Trainer(artcolor.cnn(width=16), config, ArtDataset(art, "train"))
