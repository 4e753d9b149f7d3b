"""The files of a folder of sensitivities, each of a chunk of samples; what the folder is: ``sensitivity_manifest``."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ttdm_ros.errors import SensitivityError
from ttdm_ros.training.atomic import replace_file
from ttdm_ros.training.sensitivities import SampleSensitivities
from ttdm_ros.training.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkFile:
    """Sensitivities of consecutive samples of one trajectory."""

    path: Path
    samples: int
    p: int

    @property
    def is_there(self) -> bool:
        """Whether the file is there, whole and of the right size."""
        try:
            self.read()
        except SensitivityError:
            return False
        return True

    def write(self, content: SampleSensitivities) -> None:
        """Write the samples that were solved, and which these are, in single precision.

        Raises:
            SensitivityError: the file cannot be written.
        """
        good = content.good
        tensors = {
            "g": content.g[good].astype(np.float32),
            "value_gradient": content.value_gradient[good].astype(np.float32),
            "good": good,
        }
        text = {"reasons": json.dumps(content.reasons)}
        try:
            replace_file(self.path, lambda target: target.write_bytes(save(tensors, metadata=text)))
        except OSError as error:
            raise SensitivityError(
                f"{self.path} cannot be written ({error.strerror}); make room on the disk"
            ) from error

    def read(self) -> SampleSensitivities:
        """Read the file.

        Raises:
            SensitivityError: it is missing, damaged or of other size.
        """
        try:
            with safe_open(self.path, framework="np") as file:
                g, gradient, good = (file.get_tensor(name) for name in ("g", "value_gradient", "good"))
                reasons: dict[str, int] = json.loads((file.metadata() or {})["reasons"])
        except FileNotFoundError as error:
            raise SensitivityError(
                f"there is no {self.path}; finish the export with the `ttdm sensitivities` it was begun with"
            ) from error
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise SensitivityError(f"{self.path} is damaged ({error}); remove it and export again") from error
        count = int(good.sum())
        if (good.shape, g.shape, gradient.shape) != ((self.samples,), (count, self.p, 7, 14), (count, self.p, 14)):
            raise SensitivityError(
                f"{self.path} holds other samples than the manifest says; remove it and export again"
            )
        result = SampleSensitivities(
            p=self.p,
            g=np.zeros((self.samples, self.p, 7, 14)),
            value_gradient=np.zeros((self.samples, self.p, 14)),
            good=good.astype(bool),
            reasons=reasons,
        )
        result.g[result.good], result.value_gradient[result.good] = g, gradient
        return result


def chunk_file(folder: Path, index: int, samples: int, p: int) -> ChunkFile:
    """Return the file of a chunk in the folder of its bag, counted from 0."""
    return ChunkFile(path=folder / f"chunk_{index:05d}.safetensors", samples=samples, p=p)


def read_chunks(files: Iterable[ChunkFile], p: int, store: Store) -> SampleSensitivities:
    """Read chunks one after another into columns on disk.

    Raises:
        SensitivityError: one is missing or damaged.
        StorageError: there is no room.
    """
    g, gradient = store.column(p, 7, 14, dtype=np.float32), store.column(p, 14, dtype=np.float32)
    good: list[NDArray[np.bool_]] = []
    reasons: Counter[str] = Counter()
    for file in files:
        content = file.read()
        g.append(content.g)
        gradient.append(content.value_gradient)
        good.append(content.good)
        reasons.update(content.reasons)
    return SampleSensitivities(
        p=p, g=g.finish(), value_gradient=gradient.finish(), good=np.concatenate(good), reasons=dict(reasons)
    )


def summary(folder: Path) -> dict[str, Any]:
    """Return how many samples and chunks are there, how many were solved and why others were not, sizes in bytes.

    Raises:
        SensitivityError: there are none, or a file is damaged.
    """
    total: Counter[str] = Counter()
    files, solved, samples, size = 0, 0, 0, 0
    for path in _chunk_paths(folder):
        try:
            with safe_open(path, framework="np") as file:
                good = file.get_tensor("good")
                total.update(json.loads((file.metadata() or {})["reasons"]))
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise SensitivityError(f"{path} is damaged ({error}); remove it and export again") from error
        files, samples, solved, size = (
            files + 1,
            samples + len(good),
            solved + int(good.sum()),
            size + path.stat().st_size,
        )
    return {"chunks": files, "samples": samples, "solved": solved, "reasons": dict(total), "bytes": size}


def _chunk_paths(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.glob("*/chunk_*.safetensors"))
