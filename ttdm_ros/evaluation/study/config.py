"""What a study compares: the files of ``config/studies/``."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ttdm_ros.config import Config, load, parse
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.errors import ConfigError
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.paths import find_config
from ttdm_ros.training.config import SamplingConfig, TrainingConfig
from ttdm_ros.training.sensitivities import Hessian
from ttdm_ros.training.weightings import weightings

Positive = Annotated[int, Field(ge=1)]
Kind = Literal["sines", "pick"]
"""What a random path is: sums of sines on which the tip tilts, or fast moves between places beside slow lowering."""
SEEDS, DRIVES = 1000, 1000
"""Numbers of seeds, and paths recorded for each; with more of either, a path would be another seed's or held out."""


class Recording(Config):
    """What is recorded in each round: drives along random paths, with exploration."""

    kind: Kind = "sines"
    drives: Positive = 5
    duration: float = Field(default=10.0, ge=2.0, le=120.0)
    """Of each path [s]; about, where it ends with a place."""
    exploration: float = Field(default=0.04, ge=0.0, le=0.2)
    """Standard deviation of the random torques, as a share of the torque limits."""


class References(Config):
    """Paths that no model was trained on."""

    kind: Kind = "sines"
    random: int = Field(default=5, ge=0, le=100)
    """Random paths, of other numbers than those that are recorded."""
    duration: float = Field(default=8.0, ge=2.0, le=120.0)
    """Of each of them [s]; about, where it ends with a place."""
    tasks: tuple[str, ...] = ()
    """Further tasks, of ``config/tasks/`` or paths to files."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.random and not self.tasks:
            raise ValueError("there must be a reference: set random, or name tasks")
        return self


class Variant(Config):
    """A change to the settings of the study whose effect is to be seen."""

    name: Annotated[str, Field(min_length=1)]
    weighting: str = "sensitivity"
    training: dict[str, float | int | str] = Field(default_factory=dict)
    """Other values of the training's settings."""
    hessian: Hessian | None = None
    sensitivities: Literal["nominal", "checkpoint", "refreshed"] | None = None
    """Whose sensitivities are taken: of the nominal arm, of the checkpoint that is fine-tuned, or, refreshed, of the
    model with which each part of the training begins."""
    parts: Positive = 1
    """Trainings one after another, each with its share of the steps, a rate that falls to zero, and other batches."""
    against: str | None = None
    """Name of the variant that it is compared with; the first one if left out."""


_OF_THE_STUDY = {"p", "seed", "validation_share"}  # settings of a training that no variant can have for itself


class StudyConfig(Config):
    """A study."""

    robot: str = "panda"
    control_rate: float = Field(default=50.0, ge=10.0, le=200.0)
    """Solves a second, half of the joint states a second [Hz]."""
    plant: str = "payload_friction"
    """What is recorded on, and driven on."""
    other_plants: tuple[str, ...] = ()
    """Plants that no model was trained on; driven by the models of the last round with ``p_compared``."""
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, lt=SEEDS)], ...], Field(min_length=1)] = (0, 1, 2, 3, 4)
    """Each is a study of its own: recordings, noise, first weights, and the split into training and validation."""
    rounds: Positive = 3
    """Round 0 is recorded with the nominal model, each further one with the one-step checkpoint of the round before; a
    round's models learn of all recordings so far. All of ``p`` is looked at in the last one."""
    p: Annotated[tuple[Annotated[int, Field(ge=1, le=8)], ...], Field(min_length=1)] = (1, 2, 4, 8)
    p_compared: int = 4
    """Steps of the rollouts where nothing else is said; one of ``p``."""
    weightings: Annotated[tuple[str, ...], Field(min_length=1)] = ()
    """Compared everywhere; the method is ``sensitivity``, the baseline ``mse``."""
    peers: tuple[str, ...] = ()
    """Further weightings, compared in the stated setting alone: last round, ``p_compared``."""
    specification: ModelSpecification
    """The capacity-limited setting in which the claims are tested, stated before the study is run."""
    capacities: tuple[tuple[Positive, ...], ...] = ()
    """Other hidden layers; one round, the last, with ``p_compared``."""
    drives: tuple[Positive, ...] = ()
    """Less data: learned of so many of each round's drives alone; one round, the last, with ``p_compared``."""
    full: ModelSpecification | None = None
    """A model without the nominal arm; one round, the last, with ``p_compared``."""
    further_seeds: Positive | None = None
    """Capacities, amounts of data, the full model and variants are looked at with so many of the seeds, the first
    ones; with all if left out."""
    recording: Recording = Recording()
    references: References = References()
    """Held out: used for the result alone."""
    validation_references: References = References(random=3)
    """Used for choosing settings, together with the validation samples; never among the held-out ones."""
    variants: tuple[Variant, ...] = ()
    """Looked at on the validation references alone, with the models of the first round."""
    training: TrainingConfig = TrainingConfig()
    sampling: SamplingConfig = SamplingConfig()
    mpc: MpcConfig = MpcConfig()

    @property
    def plant_name(self) -> str:
        """What the plant is called in results, also if it is a path."""
        return name_of(self.plant)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        known = weightings()
        for name in (*self.weightings, *self.peers, *(variant.weighting for variant in self.variants)):
            if name not in known:
                raise ValueError(f"there is no weighting '{name}'; known: {', '.join(known)}")
        if "mse" not in self.weightings:
            raise ValueError("weightings must hold mse, which all others are compared with")
        several = {name: getattr(self, name) for name in ("seeds", "p", "capacities", "drives")} | {
            "weightings and peers": (*self.weightings, *self.peers),
            "plant and other_plants": tuple(name_of(plant) for plant in (self.plant, *self.other_plants)),
        }
        for what, values in several.items():
            if len(set(values)) < len(values):
                raise ValueError(f"{what} must name each value once, not {list(values)}")
        if self.specification.hidden in self.capacities:
            raise ValueError(
                f"capacities must not hold {list(self.specification.hidden)}, which is specification.hidden and looked "
                "at anyway; leave it out"
            )
        if self.rounds * self.recording.drives > DRIVES:
            raise ValueError(
                f"rounds x recording.drives must be at most {DRIVES}, not {self.rounds} x {self.recording.drives}"
            )
        if any(number >= self.recording.drives for number in self.drives):
            raise ValueError(f"drives must be fewer than recording.drives ({self.recording.drives}), not {self.drives}")
        if self.p_compared not in self.p:
            raise ValueError(f"p_compared must be one of p {list(self.p)}, not {self.p_compared}")
        if abs(self.sampling.dt - self.mpc.dt) > 1e-9:
            raise ValueError(f"sampling.dt ({self.sampling.dt} s) must be mpc.dt ({self.mpc.dt} s)")
        return self

    @model_validator(mode="after")
    def _consistent_variants(self) -> Self:
        names = [variant.name for variant in self.variants]
        if len({name.replace(" ", "-") for name in names}) < len(names):  # as their files are called
            raise ValueError(f"variants must have names of their own, spaces and hyphens being the same, not {names}")
        for variant in self.variants:
            if variant.against is not None and variant.against not in set(names) - {variant.name}:
                raise ValueError(
                    f"variant '{variant.name}' must be against another variant, not '{variant.against}'; known: "
                    f"{', '.join(names)}"
                )
            if own := sorted(_OF_THE_STUDY & variant.training.keys()):
                raise ValueError(f"training of '{variant.name}' must not set {own[0]}: all of a study has the same")
            try:
                parse(self.training.model_dump() | variant.training, TrainingConfig, f"training of '{variant.name}'")
            except ConfigError as error:
                raise ValueError(str(error)) from error
        return self


def name_of(name_or_path: str) -> str:
    """Return what a plant, task or study is called, also if it is a path."""
    return Path(name_or_path).stem


def load_study(name_or_path: str | Path) -> StudyConfig:
    """Read a study that ships (``arm``) or a YAML file.

    Raises:
        ConfigError: no such study, malformed YAML, or a key or value that is not allowed.
    """
    return load(find_config("studies", name_or_path), StudyConfig)
