"""What is to be trained, of what, and where it goes."""

from dataclasses import dataclass, field
from pathlib import Path

from ttdm_ros.dynamics.bundle import holds_model
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.errors import BundleError, ConfigError
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.systems.arm import Arm
from ttdm_ros.training.chunk_work import Executor
from ttdm_ros.training.config import SamplingConfig, TrainingConfig
from ttdm_ros.training.sensitivities import Hessian, Method
from ttdm_ros.training.weightings import Weighting, find_weighting


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingJob:
    """What is to be trained, of what, and where it goes."""

    bags: tuple[Path, ...]
    """A bag that is given twice, or with a copy of it, counts once."""
    arm: Arm
    out: Path
    """Folder of the bundles, a folder each; sensitivities and the state of a running training are kept there too."""
    weightings: tuple[str, ...] = ("sensitivity",)
    seeds: tuple[int, ...] = (0,)
    config: TrainingConfig = field(default_factory=TrainingConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    mpc: MpcConfig = field(default_factory=MpcConfig)
    model: PredictionModel = field(default_factory=lambda: PredictionModel.nominal())
    """Whose sensitivities are taken; see ``ExportSettings``."""
    hessian: Hessian = "exact"
    method: Method = "own"
    sensitivities: Path | None = None
    """Folder of sensitivities, made here if it is missing; by default one in ``out``."""
    name: str = ""
    """Of the bundle; with several ones, what their names begin with."""
    namespace: str | None = None
    """Of the topics in the bags."""
    jobs: int | None = None
    """Processes for the sensitivities; as many as processors if left out."""
    executor: Executor = "processes"
    """What works out the sensitivities; see ``export``."""

    def bundle(self, weighting: str, seed: int) -> Path:
        """Return the folder of a model; what tells it from the others of this job is in its name."""
        return self._folder(weighting if not self.name or len(self.weightings) > 1 else "", seed)

    def checkpoint(self, seed: int) -> Path:
        """Return the folder of the one-step checkpoint of a seed."""
        return self._folder("one_step", seed)

    def _folder(self, kind: str, seed: int) -> Path:
        parts = (self.name, kind, f"s{seed}" if len(self.seeds) > 1 else "")
        return self.out / "_".join(part for part in parts if part)

    @property
    def states(self) -> tuple[Path, Path]:
        """Return the files of a training that is under way: its checkpoints' and its fine-tuning's."""
        return self.out / ".one_step.state", self.out / ".fine_tuning.state"

    def check(self) -> list[Weighting]:
        """Refuse what would fail only after minutes of work, and return the weightings.

        Raises:
            BundleError: a bundle of that name is there already, and no training under way that may have written it.
            ConfigError: a weighting is not known or named twice, or settings do not fit each other.
        """
        weightings = [find_weighting(name) for name in self.weightings]
        for what, values in (("weighting", self.weightings), ("seed", self.seeds)):
            if not values or len(set(values)) < len(values):
                raise ConfigError(f"each {what} is to be named once, and at least one of them; got {list(values)}")
        if self.config.specification.structure == "nominal":
            raise ConfigError("a model of structure 'nominal' has nothing to train; choose 'residual' or 'full'")
        if abs(self.sampling.dt - self.mpc.dt) > 1e-9:
            raise ConfigError(
                f"samples have a step of {self.sampling.dt} s and the problem's grid one of {self.mpc.dt} s; "
                "set both to the same"
            )
        if not any(state.exists() for state in self.states):
            self.check_folders()
        return weightings

    def check_folders(self) -> None:
        """Refuse folders that hold a model.

        Raises:
            BundleError: a bundle of that name is there already.
        """
        folders = [self.bundle(name, seed) for name in self.weightings for seed in self.seeds]
        for folder in [*folders, *(self.checkpoint(seed) for seed in self.seeds)]:
            if holds_model(folder):
                raise BundleError(f"{folder} holds a model already; choose another folder or name, or move it away")
