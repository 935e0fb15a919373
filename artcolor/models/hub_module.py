"""Loading a model by name, and writing it to a folder or the Hugging Face Hub."""

from pathlib import Path
from typing import Any, Self

from torch import nn

from artcolor.errors import ConfigError
from artcolor.zoo import hub

__all__ = ["HubModule"]


class HubModule(nn.Module):
    """A module that reads and writes whole weights files."""

    @property
    def config(self) -> dict[str, Any]:
        """The configuration that rebuilds this model."""
        raise NotImplementedError

    @classmethod
    def from_pretrained(cls, name: str | Path, *, progress: bool = True) -> Self:
        """Loads a model with weights, as `artcolor.from_pretrained` does, and checks that it is of this class.

        Args:
            name: name of a model or of weights, or the path of a weights file; see `artcolor.from_pretrained`.
            progress: show a progress bar while downloading.

        Raises:
            ConfigError: the name is unknown, or names a model of another class.
            WeightsError: the file is damaged, does not fit, or could not be downloaded.

        Example:
            >>> from artcolor.models.base import ColorizationModel
            >>> ColorizationModel.from_pretrained("cnn").name
            'cnn'
        """
        from artcolor.models import registry  # noqa: PLC0415  (the registry imports this module)

        model = registry.from_pretrained(name, progress=progress)
        if not isinstance(model, cls):
            raise ConfigError(f"{name} is a {model.name}, not a {cls.__name__}; use artcolor.from_pretrained")
        return model

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes `model.safetensors`, `config.json` and a model card into a folder.

        `artcolor.from_pretrained("local-dir:FOLDER")` loads the model again.

        Args:
            folder: the folder to write to; created if missing.

        Raises:
            WeightsError: a tensor contains NaN or infinity.
        """
        hub.save(Path(folder), self.config, self.state_dict())

    def push_to_hub(
        self, repo: str, *, private: bool = False, token: str | None = None, message: str = "Upload with artcolor"
    ) -> str:
        """Uploads weights, config and model card to the Hugging Face Hub as one commit.

        Args:
            repo: `organization/repository`; created if missing.
            private: make a new repository private.
            token: access token of the Hub; `None` uses the token you are logged in with.
            message: commit message.

        Returns:
            The commit hash, for `artcolor.from_pretrained("hf-hub:REPO@COMMIT")`.

        Raises:
            ConfigError: `repo` is not a valid repository name.
            WeightsError: the Hub refused the upload or cannot be reached.
        """
        return hub.push(repo, self.config, self.state_dict(), private=private, token=token, message=message)
