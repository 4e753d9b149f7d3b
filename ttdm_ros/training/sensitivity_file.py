"""Sensitivities on disk: a folder with ``manifest.json`` (what they were made of) and one file a chunk of samples.

The manifest is written first and never changed; a chunk is there whole or not at all. So an export that was interrupted
goes on where it was, and numbers of another bag, model or setting are never taken by mistake.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ttdm_ros.config import Config, parse
from ttdm_ros.errors import SensitivityError
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.training.atomic import replace_file
from ttdm_ros.training.config import SamplingConfig
from ttdm_ros.training.sensitivities import Hessian, SampleSensitivities

MANIFEST = "manifest.json"
FORMAT = 1


class BagEntry(Config):
    """A bag whose samples are there."""

    name: str
    """Its folder or file; only for people, as a bag may be moved."""
    fingerprint: str
    """Hash of what is in it, see ``BagData``."""
    samples: int
    """Rollouts that start in it."""


class Manifest(Config):
    """What sensitivities were made of; two exports of equal manifests hold the same numbers."""

    format: int = Field(default=FORMAT, ge=1, le=FORMAT)
    robot: str
    arm: str
    """Fingerprint of the arm."""
    model: str
    """Name of the model that predicted."""
    model_fingerprint: str
    hessian: Hessian = "exact"
    p: int
    """Steps of the rollouts."""
    sampling: SamplingConfig
    mpc: MpcConfig
    bags: tuple[BagEntry, ...]
    chunk: int
    """Samples a chunk at most."""
    version: str
    """Of this package."""

    def differences(self, other: "Manifest") -> list[str]:
        """Return in words what makes the numbers of another manifest others than those of this one."""
        found = []
        if (self.robot, self.arm) != (other.robot, other.arm):
            found.append(f"robot {other.robot} ({other.arm}), not {self.robot} ({self.arm})")
        if self.model_fingerprint != other.model_fingerprint:
            wanted, there = (f"{each.model} ({each.model_fingerprint})" for each in (self, other))
            found.append(f"model {there}, not {wanted}")
        plain, others = (_settings(each) for each in (self, other))
        found += [f"{key} {others[key]}, not {plain[key]}" for key in plain if plain[key] != others[key]]
        if [bag.fingerprint for bag in self.bags] != [bag.fingerprint for bag in other.bags]:
            wanted, there = (", ".join(f"{b.name} ({b.fingerprint})" for b in each.bags) for each in (self, other))
            found.append(f"bags {there}, not {wanted}")
        return found


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
            replace_file(self.path, lambda target: save_file(tensors, target, metadata=text))
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
    """Return the file of a chunk, counted from 0 over all bags."""
    return ChunkFile(path=folder / f"chunk_{index:05d}.safetensors", samples=samples, p=p)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Make the folder and its manifest, or check that the one there is the same.

    Raises:
        SensitivityError: the folder holds sensitivities of something else, other files, or cannot be written.
    """
    if (folder / MANIFEST).exists():
        check(folder, manifest)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise SensitivityError(f"the folder {folder} holds other files; choose another one for the sensitivities")
        text = json.dumps(manifest.model_dump(mode="json"), indent=2) + "\n"
        replace_file(folder / MANIFEST, lambda target: target.write_text(text, encoding="utf-8"))
    except OSError as error:
        raise SensitivityError(f"{folder} cannot be written ({error.strerror}); choose another folder") from error


def read_manifest(folder: Path) -> Manifest:
    """Read what sensitivities were made of.

    Raises:
        SensitivityError: there are none.
        ConfigError: the manifest is malformed.
    """
    path = folder / MANIFEST
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SensitivityError(f"{folder} holds no sensitivities; export some with `ttdm sensitivities`") from error
    except ValueError as error:
        raise SensitivityError(f"{path} is damaged ({error}); remove the folder and export again") from error
    return parse(content, Manifest, str(path))


def check(folder: Path, wanted: Manifest) -> None:
    """Refuse sensitivities that were not made of what is wanted.

    Raises:
        SensitivityError: they differ; the message says in what.
    """
    if differences := wanted.differences(read_manifest(folder)):
        raise SensitivityError(
            f"the sensitivities in {folder} are of {'; of '.join(differences)}; choose another folder, or remove "
            "this one"
        )


def read_chunks(folder: Path, sizes: Sequence[int], p: int) -> SampleSensitivities:
    """Read all chunks, of so many samples each.

    Raises:
        SensitivityError: one is missing or damaged.
    """
    files = (chunk_file(folder, i, size, p) for i, size in enumerate(sizes))
    return SampleSensitivities.join([file.read() for file in files])


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
    yield from sorted(folder.glob("chunk_*.safetensors"))


def _settings(manifest: Manifest) -> dict[str, Any]:
    """Return every setting by its name."""
    content = manifest.model_dump(mode="json")
    flat = {key: content[key] for key in ("p", "hessian", "chunk", "version")}
    return flat | content["sampling"] | {f"mpc.{key}": value for key, value in content["mpc"].items()}
