"""Sensitivities on disk: a folder with ``manifest.json`` (how they were made), and in it a folder a bag.

That of a bag is named by the bag's fingerprint and holds ``bag.json`` and one file a chunk of samples. The manifest is
written first and never changed; a chunk is there whole or not at all. So an export that was interrupted goes on where
it was, one of further bags adds these, and numbers of another bag, model or setting are never taken by mistake.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import Field

from ttdm_ros.config import Config, parse
from ttdm_ros.errors import SensitivityError
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.training.atomic import replace_file
from ttdm_ros.training.config import SamplingConfig
from ttdm_ros.training.sensitivities import Hessian, Method

MANIFEST = "manifest.json"
BAG = "bag.json"
FORMAT = 2


class BagEntry(Config):
    """A bag whose samples are there."""

    name: str
    """Its folder or file; only for people, as a bag may be moved."""
    fingerprint: str
    """Hash of what is in it, see ``BagData``."""
    samples: int
    """Rollouts that start in it."""


class Manifest(Config):
    """How sensitivities were made; those of one bag by equal manifests are the same numbers."""

    format: int = Field(default=FORMAT, ge=FORMAT, le=FORMAT)
    robot: str
    arm: str
    """Fingerprint of the arm."""
    model: str
    """Name of the model that predicted."""
    model_fingerprint: str
    hessian: Hessian = "exact"
    method: Method = "own"
    p: int
    """Steps of the rollouts."""
    sampling: SamplingConfig
    mpc: MpcConfig
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
        return found


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Make the folder and its manifest, or check that the one there is the same.

    Raises:
        SensitivityError: the folder holds sensitivities of something else, other files, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A hidden file is a manifest that another process writes at this moment, or left when it was killed.
        if all(each.name.startswith(".") for each in folder.iterdir()):
            _write(folder / MANIFEST, manifest)
        elif not (folder / MANIFEST).exists():
            raise SensitivityError(f"the folder {folder} holds other files; choose another one for the sensitivities")
    except OSError as error:
        raise SensitivityError(f"{folder} cannot be written ({error.strerror}); choose another folder") from error
    check(folder, manifest)


def write_entry(folder: Path, entry: BagEntry) -> Path:
    """Make the folder of a bag within that of the manifest, or check the one there; return it.

    Raises:
        SensitivityError: it holds other samples, or cannot be written.
    """
    home = folder / entry.fingerprint
    try:
        if not (home / BAG).exists():
            home.mkdir(exist_ok=True)
            _write(home / BAG, entry)
    except OSError as error:
        raise SensitivityError(f"{home} cannot be written ({error.strerror}); choose another folder") from error
    there = _read_entry(home / BAG)
    if (there.fingerprint, there.samples) != (entry.fingerprint, entry.samples):
        raise SensitivityError(
            f"{home} holds {there.samples} samples of the bag {there.fingerprint}, where {entry.samples} of "
            f"{entry.fingerprint} are wanted; remove it and export again"
        )
    return home


def read_entries(folder: Path) -> list[BagEntry]:
    """Return the bags whose samples are in a folder.

    Raises:
        SensitivityError: what is written of one is damaged.
    """
    return [_read_entry(path) for path in sorted(folder.glob(f"*/{BAG}"))]


def _read_entry(path: Path) -> BagEntry:
    try:
        return BagEntry.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SensitivityError(f"{path} is damaged; remove {path.parent} and export again") from error


def _write(path: Path, content: Config) -> None:
    text = json.dumps(content.model_dump(mode="json"), indent=2) + "\n"
    replace_file(path, lambda target: target.write_text(text, encoding="utf-8"))


def read_manifest(folder: Path) -> Manifest:
    """Read how sensitivities were made.

    Raises:
        SensitivityError: there are none, or they are of another format.
        ConfigError: the manifest is malformed.
    """
    path = folder / MANIFEST
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SensitivityError(f"{folder} holds no sensitivities; export some with `ttdm sensitivities`") from error
    except ValueError as error:
        raise SensitivityError(f"{path} is damaged ({error}); remove the folder and export again") from error
    if isinstance(content, dict) and content.get("format") != FORMAT:
        raise SensitivityError(
            f"the sensitivities in {folder} were written by another version of this package; remove the folder, or "
            "choose another one"
        )
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


def _settings(manifest: Manifest) -> dict[str, Any]:
    """Return every setting by its name."""
    content = manifest.model_dump(mode="json")
    flat = {key: content[key] for key in ("p", "hessian", "method", "chunk", "version")}
    return flat | content["sampling"] | {f"mpc.{key}": value for key, value in content["mpc"].items()}
