"""What a study consists of: models to be trained and driven, in pieces that can be done side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.evaluation.study.config import StudyConfig, Variant

Experiment = Literal["main", "capacity", "data", "full", "variants"]
CHECKPOINT = "one_step"
"""What the checkpoint is called among the weightings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drives:
    """Recordings of one seed and round, and the checkpoint trained on all rounds so far."""

    seed: int
    round: int

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"seed{self.seed}_round{self.round}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Models that fine-tune one checkpoint, trained side by side and driven one after another."""

    experiment: Experiment
    seed: int
    round: int
    p: int
    specification: ModelSpecification
    weightings: tuple[str, ...]
    plants: tuple[str, ...]
    drives: int | None = None
    """Of each round that are learned of; None for all."""
    variant: Variant | None = None

    @property
    def name(self) -> str:
        """Of its file."""
        hidden = "-".join(map(str, self.specification.hidden)) or "linear"
        parts = [self.experiment, f"seed{self.seed}", f"round{self.round}", f"p{self.p}", hidden]
        parts += [f"drives{self.drives}"] if self.drives else []
        return "_".join([*parts, *([self.variant.name.replace(" ", "-")] if self.variant else [])])


def rounds(study: StudyConfig) -> list[list[Drives]]:
    """Return what is recorded; each list needs what the list before has made."""
    return [[Drives(seed=seed, round=number) for seed in study.seeds] for number in range(study.rounds)]


def cells(study: StudyConfig) -> list[Cell]:
    """Return every piece that is left once all is recorded, the long ones first."""
    further = study.seeds[: study.further_seeds]
    found = [*_main(study), *_others(study, further), *_variants(study, further)]
    return sorted(found, key=lambda cell: -len(cell.weightings) * len(cell.plants))


def _main(study: StudyConfig) -> Iterator[Cell]:
    last = study.rounds - 1
    for seed in study.seeds:
        for number in range(study.rounds):
            for p in study.p if number == last else (study.p_compared,):
                is_stated = p == study.p_compared and number == last
                yield Cell(
                    experiment="main",
                    seed=seed,
                    round=number,
                    p=p,
                    specification=study.specification,
                    weightings=(*study.weightings, *(study.peers if is_stated else ())),
                    plants=(study.plant, *(study.other_plants if is_stated else ())),
                )


def _others(study: StudyConfig, seeds: Sequence[int]) -> Iterator[Cell]:
    settings: list[tuple[Experiment, ModelSpecification, int | None]] = [
        ("capacity", study.specification.model_copy(update={"hidden": hidden}), None) for hidden in study.capacities
    ]
    settings += [("data", study.specification, number) for number in study.drives]
    settings += [("full", study.full, None)] if study.full is not None else []
    for experiment, specification, drives in settings:
        for seed in seeds:
            yield Cell(
                experiment=experiment,
                seed=seed,
                round=study.rounds - 1,
                p=study.p_compared,
                specification=specification,
                weightings=study.weightings,
                plants=(study.plant,),
                drives=drives,
            )


def _variants(study: StudyConfig, seeds: Sequence[int]) -> Iterator[Cell]:
    for seed in seeds:
        for variant in study.variants:
            yield Cell(
                experiment="variants",
                seed=seed,
                round=0,
                p=int(variant.training.get("p", study.p_compared)),
                specification=study.specification,
                weightings=(variant.weighting,),
                plants=(study.plant,),
                variant=variant,
            )
