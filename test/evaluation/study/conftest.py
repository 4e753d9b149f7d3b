"""A study as small as one can be, and drives of a study that were never driven."""

from collections.abc import Callable
from typing import Any

import pytest

from ttdm_ros.evaluation.study.config import StudyConfig
from ttdm_ros.evaluation.study.plan import CHECKPOINT, cells

Make = Callable[..., StudyConfig]


@pytest.fixture(scope="session")
def make_study() -> Make:
    def make(**changes: Any) -> StudyConfig:
        content: dict[str, Any] = {
            "seeds": [0],
            "rounds": 1,
            "p": [1],
            "p_compared": 1,
            "weightings": ["mse", "sensitivity"],
            "specification": {"structure": "residual", "hidden": [2], "inputs": ["q", "v"]},
            "recording": {"drives": 1, "duration": 3.0},
            "references": {"random": 1, "duration": 2.0},
            "validation_references": {"random": 1, "duration": 2.0},
            "training": {"base_steps": 20, "steps": 10, "validate_every": 10},
            "sampling": {"spacing": 20},
        }
        return StudyConfig.model_validate(content | changes)

    return make


@pytest.fixture(scope="session")
def study(make_study: Make) -> StudyConfig:
    """A study of several of everything, for what only reads results."""
    return make_study(
        seeds=[0, 1, 2],
        rounds=2,
        p=[1, 4],
        p_compared=4,
        weightings=["mse", "variance", "sensitivity", "sensitivity_mean"],
        capacities=[[4]],
        recording={"drives": 2, "duration": 3.0},
        drives=[1],
        further_seeds=2,
        variants=[{"name": "as chosen"}, {"name": "no floor", "training": {"floor": 0.0}}],
        references={"random": 4},
    )


@pytest.fixture
def rows(study: StudyConfig) -> list[dict[str, Any]]:
    """Drives whose excess is known: 1 with mse, less with others, the more so the longer the rollouts."""
    excess = {"mse": 1.0, "variance": 1.1, "sensitivity": 0.5, "sensitivity_mean": 0.8, CHECKPOINT: 1.2}
    found = []
    for cell in cells(study):
        names = [*cell.weightings, *([CHECKPOINT] if cell.p == study.p_compared else [])]
        for name in names:
            for i in range(study.references.random if cell.experiment != "variants" else 3):
                scale = (1.0 + 0.1 * i) * (1.0 + 0.05 * cell.seed)
                shorter = 0.0 if name == "mse" or cell.p > 1 else 0.3
                found.append(
                    {
                        "experiment": cell.experiment,
                        "variant": cell.variant.name if cell.variant else "",
                        "seed": cell.seed,
                        "round": cell.round,
                        "p": cell.p,
                        "recorded_s": 3.0 * (cell.drives or 2) * (cell.round + 1),
                        "structure": cell.specification.structure,
                        "hidden": "-".join(map(str, cell.specification.hidden)),
                        "weighting": name,
                        "plant": cell.plants[0],
                        "reference": f"random {i}",
                        "completed": True,
                        "cost": 2.0,
                        "excess": (excess[name] + shorter) * scale,
                        "nominal_excess": 5.0,
                        "rmse_mm": 1.0,
                        "error_one_step": 0.01,
                        "error_last_step": 0.05,
                        "cost_of_errors": 0.02,
                    }
                )
    return found
