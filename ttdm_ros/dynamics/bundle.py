"""Models on disk: a folder with ``model.yaml`` (specification, provenance) and ``weights.safetensors`` (numbers)."""

import difflib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml
from pydantic import Field
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from ttdm_ros.config import Config, load
from ttdm_ros.dynamics.model import NORMALISATION, Layer, PredictionModel
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.errors import BundleError
from ttdm_ros.paths import share_folder

DESCRIPTION = "model.yaml"
WEIGHTS = "weights.safetensors"
FORMAT = 1


class Description(Config):
    """Content of ``model.yaml``."""

    format: int = Field(default=FORMAT, ge=1, le=FORMAT)
    """Version of this format."""
    robot: str = ""
    """Name of the robot the model was made for; empty for any."""
    specification: ModelSpecification
    fingerprint: str
    """Hash of specification and weights; a bundle whose weights do not fit it is refused."""
    provenance: dict[str, Any] = Field(default_factory=dict)
    """Where it comes from: bags, weighting, seeds, versions."""
    metrics: dict[str, Any] = Field(default_factory=dict)
    """How well it predicts."""


def find_model(name_or_path: str | Path) -> Path:
    """Resolve the name of a model that ships, or a path, to a bundle's folder.

    Raises:
        BundleError: there is no such bundle; the message lists the models that ship.
    """
    given = Path(name_or_path).expanduser()
    shipped = share_folder() / "models"
    for folder in (given, shipped / given):
        if (folder / DESCRIPTION).is_file():
            return folder
    names = sorted(path.parent.name for path in shipped.glob(f"*/{DESCRIPTION}"))
    if given.is_dir():
        raise BundleError(f"the folder {given} has no {DESCRIPTION}; give the folder of a model bundle")
    close = difflib.get_close_matches(str(given), names, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(names)}, or give the path of a bundle"
    raise BundleError(f"there is no model '{given}' ({hint})")


def load_model(name_or_path: str | Path) -> PredictionModel:
    """Read a model by the name of a folder in ``models/``, or by a path.

    Raises:
        BundleError: no such bundle, or one that is incomplete, damaged, of wrong shape or not finite.
        ConfigError: ``model.yaml`` is malformed.
    """
    folder = find_model(name_or_path)
    description = load(folder / DESCRIPTION, Description)
    tensors = _read_tensors(folder / WEIGHTS)
    count = max(len(description.specification.layer_sizes) - 1, 0)
    layer_names = [f"layers.{i}.{part}" for i in range(count) for part in ("weight", "bias")]
    expected = {*NORMALISATION, *layer_names} if count else set()
    if unknown := sorted(tensors.keys() - expected):
        raise BundleError(f"{folder / WEIGHTS} holds the unknown tensor '{unknown[0]}'; restore it from the training")
    if lacking := sorted(expected - tensors.keys()):
        raise BundleError(f"{folder / WEIGHTS} lacks the tensor '{lacking[0]}'; restore it from the training")
    model = PredictionModel(
        specification=description.specification,
        **{name: tensors[name] for name in NORMALISATION if name in tensors},
        layers=tuple(
            Layer(weight=tensors[f"layers.{i}.weight"], bias=tensors[f"layers.{i}.bias"]) for i in range(count)
        ),
        name=folder.resolve().name,
        robot=description.robot,
    )
    if model.fingerprint != description.fingerprint:
        raise BundleError(
            f"the weights in {folder} do not belong to its {DESCRIPTION} (fingerprint {model.fingerprint}, not "
            f"{description.fingerprint}); restore both files from one training"
        )
    return model


def save_model(
    model: PredictionModel,
    folder: Path,
    *,
    provenance: dict[str, Any] | None = None,
    metrics: dict[str, Any] | None = None,
) -> None:
    """Write a bundle into a new folder, or one that holds no bundle yet.

    The bundle is there whole or not at all, whatever interrupts the writing.

    Raises:
        BundleError: there is a bundle already, ``provenance`` or ``metrics`` hold what YAML cannot express, or the
            folder cannot be written.
    """
    if holds_model(folder):
        raise BundleError(f"{folder} holds a model already; choose another folder, or move it away")
    description = Description(
        robot=model.robot,
        specification=model.specification,
        fingerprint=model.fingerprint,
        provenance=provenance or {},
        metrics=metrics or {},
    )
    try:
        text = yaml.safe_dump(description.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    except (ValueError, yaml.YAMLError) as error:
        raise BundleError(
            f"provenance or metrics of the model cannot be written as YAML ({error}); use texts, numbers and lists"
        ) from error
    try:
        _write(folder, save({name: np.ascontiguousarray(value) for name, value in model.tensors().items()}), text)
    except OSError as error:
        raise BundleError(
            f"the model cannot be written to {folder} ({error.strerror}); choose another folder"
        ) from error


def holds_model(folder: Path) -> bool:
    """Return whether a folder holds a bundle, or a file of one."""
    return (folder / DESCRIPTION).exists() or (folder / WEIGHTS).exists()


def _write(folder: Path, weights: bytes, description: str) -> None:
    """Write both files into a hidden folder, and bring them to their place from there."""
    is_there = folder.is_dir()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".ttdm_", dir=folder if is_there else folder.parent) as hidden:
        made = Path(hidden) / "bundle"  # has the usual rights, which the hidden folder has not
        made.mkdir()
        (made / WEIGHTS).write_bytes(weights)
        (made / DESCRIPTION).write_text(description, encoding="utf-8")
        if is_there:
            for name in (WEIGHTS, DESCRIPTION):
                (made / name).rename(folder / name)
        else:
            made.rename(folder)


def _read_tensors(path: Path) -> dict[str, np.ndarray]:
    try:
        tensors = load_file(path)
    except FileNotFoundError as error:
        raise BundleError(f"there is no {path}; a bundle needs {DESCRIPTION} and {WEIGHTS}") from error
    except (SafetensorError, OSError, ValueError) as error:
        raise BundleError(
            f"{path} is not a safetensors file ({str(error).splitlines()[0]}); restore it from the training"
        ) from error
    for name, value in tensors.items():
        if value.dtype != np.float64:
            raise BundleError(
                f"the tensor '{name}' in {path} is {value.dtype}, not float64; save it in double precision"
            )
    return tensors
