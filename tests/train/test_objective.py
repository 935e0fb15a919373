import logging
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

import artcolor
from artcolor.data.dataset import ArtDataset
from artcolor.errors import ConfigError
from artcolor.models.base import ColorizationModel
from artcolor.models.guidance import Decoding
from artcolor.train.callbacks import Callback
from artcolor.train.config import TrainConfig
from artcolor.train.objective import Classifier, Labeled, Objective, Teacher, labeled
from artcolor.train.trainer import Trainer
from tests.conftest import make_painting

CONFIG = TrainConfig(
    steps=40, batch_size=8, size=32, warmup_steps=2, workers=0, device="cpu", classify=("genre",), learning_rate=5e-3
)


def test_labels_are_the_most_common_values(art: Path) -> None:
    data = Labeled(ArtDataset(art, "train"), ["genre"])
    assert data.classes == {"genre": 2}
    assert data.labels[:6, 0].tolist() == [0, 1, -1, 0, 1, -1]


def test_unknown_labels_do_not_count() -> None:
    classifier = Classifier(artcolor.unet(width=12), {"style": 3, "artist": 5}).eval()
    seen = torch.rand(4, classifier.layers[0].in_features, 2, 2)
    assert classifier(seen, torch.full((4, 2), -1)).item() == 0
    labels = torch.tensor([[-1, -1], [2, -1], [-1, -1], [-1, -1]])
    expected = F.cross_entropy(classifier.layers[0](seen[1:2].mean((2, 3))), torch.tensor([2]), label_smoothing=0.1)
    torch.testing.assert_close(classifier(seen, labels), expected)


def test_the_encoder_learns_to_name_and_the_result_knows_nothing_of_it(art: Path, tmp_path: Path) -> None:
    found: list[float] = []

    class Watch(Callback):
        def on_step(self, trainer: Trainer, losses: dict[str, float]) -> None:
            found.append(losses["classes"])

    torch.manual_seed(0)
    model = artcolor.unet(width=12)
    config = CONFIG.model_copy(update={"steps": 80})
    path = Trainer(model, config, ArtDataset(art, "train"), callbacks=[Watch()], out=tmp_path / "run").fit()
    assert sum(found[-8:]) < 0.9 * sum(found[:8])
    assert not model.network.encoder._forward_hooks
    assert artcolor.from_pretrained(path).config["network"] == {"width": 12}


def test_a_folder_without_labels_trains_without_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(4):
        make_painting(number, 64, 64).save(tmp_path / f"{number}.png")
    data = ArtDataset(tmp_path, None)
    with caplog.at_level(logging.WARNING):
        assert labeled(data, ["genre"]) is None
    assert "without classify" in caplog.text
    assert "metadata.csv" in caplog.text
    config = CONFIG.model_copy(update={"steps": 2, "batch_size": 2})
    assert Trainer(artcolor.unet(width=12), config, data, out=tmp_path / "run").fit().exists()


def test_one_value_is_nothing_to_learn(art: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert labeled(ArtDataset(art, "train"), ["artist"]) is None
    assert "fewer than two values of artist" in caplog.text


def test_a_network_without_an_encoder_is_told(art: Path, tmp_path: Path) -> None:
    trainer = Trainer(artcolor.cnn(width=16), CONFIG, ArtDataset(art, "train"), out=tmp_path / "run")
    with pytest.raises(ConfigError, match="cnn has no encoder"):
        trainer.fit()


def test_what_is_frozen_stays_frozen(art: Path, tmp_path: Path) -> None:
    model = artcolor.unet(width=12)
    config = CONFIG.model_copy(update={"steps": 3, "freeze_norms": True, "frozen": ("network.up4",)})
    before = {name: value.clone() for name, value in model.state_dict().items()}
    Trainer(model, config, ArtDataset(art, "train"), out=tmp_path / "run").fit()
    stays = [name for name in before if name.startswith("network.up4.") or "running_" in name]
    assert len(stays) > 10
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in stays)
    assert not torch.equal(model.network.up8.layers[0].weight, before["network.up8.layers.0.weight"])


def _taught(teacher: ColorizationModel, pupil: ColorizationModel, share: float) -> dict[str, torch.Tensor]:
    light, ab = torch.rand(2, 1, 64, 64) * 100, torch.randn(2, 2, 64, 64) * 20
    objective = Objective(pupil, teacher=Teacher(teacher, pupil, share))
    losses: dict[str, torch.Tensor] = objective(light, ab, 0, torch.Generator())
    return losses


def test_who_knows_what_the_teacher_knows_learns_nothing_from_it() -> None:
    teacher, pupil = artcolor.unet(weights="DEFAULT"), artcolor.unet(weights="DEFAULT")
    losses = _taught(teacher, pupil, 1.0)
    assert losses["loss"] == losses["teacher"]
    losses["loss"].backward()
    assert max(float(p.grad.abs().max()) for p in pupil.parameters() if p.grad is not None) < 1e-4
    pupil.zero_grad()
    _taught(teacher, pupil, 0.5)["loss"].backward()
    assert max(float(p.grad.abs().max()) for p in pupil.parameters() if p.grad is not None) > 1e-2


@pytest.mark.parametrize("name", ["cic", "vae"])
def test_a_teacher_of_another_kind_speaks_of_the_pupils_bins(name: str) -> None:
    teacher, pupil = artcolor.get_model(name, weights="DEFAULT"), artcolor.cnn(weights="DEFAULT")
    light = torch.rand(2, 1, 64, 96) * 100
    thought = Teacher(teacher, pupil, 0.5).distribution(light, torch.Size((16, 24)))
    assert thought.shape == (2, pupil.head.codebook.bins, 16, 24)
    assert pupil.head.codebook.bins != teacher.head.codebook.bins or name == "vae"
    torch.testing.assert_close(thought.sum(1), torch.ones(2, 16, 24))
    mean = torch.einsum("nqhw,qc->nchw", thought, pupil.head.codebook.centers)
    expected = teacher.predict(light, decoding=Decoding(vividness=0.0, temperature=1.0)).ab
    assert (mean - expected).square().sum(1).mean().sqrt() < 6


def test_a_pupil_comes_near_its_teacher(art: Path, tmp_path: Path) -> None:
    found: list[float] = []

    class Watch(Callback):
        def on_step(self, trainer: Trainer, losses: dict[str, float]) -> None:
            found.append(losses["teacher"])

    torch.manual_seed(0)
    config = CONFIG.model_copy(update={"classify": (), "teacher": "cnn", "fit_head": True})
    Trainer(artcolor.cnn(width=16), config, ArtDataset(art, "train"), callbacks=[Watch()], out=tmp_path / "run").fit()
    assert sum(found[-8:]) < 0.9 * sum(found[:8])


def test_who_predicts_no_distribution_cannot_teach(art: Path, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"classify": (), "teacher": "cnn_report"})
    with pytest.raises(ConfigError, match="teacher: cnn_report predicts no distribution"):
        Trainer(artcolor.cnn(width=16), config, ArtDataset(art, "train"), out=tmp_path / "run")
    with pytest.raises(ConfigError, match="teacher: vae has a loss of its own"):
        Teacher(artcolor.cnn(width=16), artcolor.vae(width=12), 0.5)
