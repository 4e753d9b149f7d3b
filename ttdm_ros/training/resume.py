"""The state of a training on disk, so that an interrupted one goes on where it was; safetensors, no pickle."""

import json
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ttdm_ros.errors import StorageError
from ttdm_ros.training.atomic import replace_file


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeState:
    """What was kept."""

    step: int
    tensors: dict[str, Tensor]
    losses: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ResumeFile:
    """A state, valid only for a training of the same ``key``."""

    path: Path
    key: str

    def read(self) -> ResumeState | None:
        """Return the state; None if there is none, or one of another training, or one that cannot be read."""
        try:
            with safe_open(self.path, framework="pt") as file:
                kept = file.metadata() or {}
                if kept.get("key") != self.key:
                    return None
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
            return ResumeState(step=int(kept["step"]), tensors=tensors, losses=json.loads(kept["losses"]))
        except (OSError, SafetensorError, KeyError, ValueError):
            return None

    def write(self, step: int, tensors: dict[str, Tensor], losses: Any) -> None:
        """Replace the state in one step.

        Raises:
            StorageError: the file cannot be written.
        """
        assert is_dataclass(losses) and not isinstance(losses, type)
        content = {"key": self.key, "step": str(step), "losses": json.dumps(asdict(losses))}
        plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        copies = {name: value.clone() if value.dim() else torch.as_tensor(value) for name, value in plain.items()}
        try:
            replace_file(self.path, lambda target: target.write_bytes(save(copies, metadata=content)))
        except OSError as error:
            raise StorageError(f"{self.path} cannot be written ({error.strerror}); make room on the disk") from error

    def remove(self) -> None:
        """Forget the state."""
        self.path.unlink(missing_ok=True)
