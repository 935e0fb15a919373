"""The losses that a training can minimize. The trainer calls `objective_for` and knows no more than `Objective`."""

from artcolor.data.dataset import ArtDataset
from artcolor.models.base import ColorizationModel
from artcolor.models.registry import from_pretrained
from artcolor.train.config import TrainConfig
from artcolor.train.objectives.base import Objective
from artcolor.train.objectives.classification import Classification, labels_or_none
from artcolor.train.objectives.distillation import Distillation, Teacher
from artcolor.train.objectives.spreading import spreading


def objective_for(model: ColorizationModel, config: TrainConfig, train: ArtDataset) -> Objective:
    """Builds the objective that the settings ask for.

    Args:
        model: the model to train. With `classify`, it is left in evaluation mode.
        config: the settings; `kernel`, `teacher`, `teacher_share` and `classify` are read.
        train: the training pictures, whose `metadata.csv` holds the labels for `classify`.

    Returns:
        The model's own loss, extended by distillation from a teacher and by classification where configured; with
        `kernel`, the loss of hints.

    Raises:
        ConfigError: the model or the teacher does not suit the settings.
        WeightsError: the teacher could not be loaded.
    """
    if config.kernel:
        return spreading(model, config, train)
    objective = Objective(model)
    if config.teacher is not None:
        objective = Distillation(objective, Teacher(from_pretrained(config.teacher)), config.teacher_share)
    labels = labels_or_none(train, config.classify) if config.classify else None
    if labels is not None:
        objective = Classification(objective, labels)
    return objective
