"""How well models predict samples that training never saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.nominal import NominalBatch
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.dynamics.torch_form import NetworkStack
from ttdm_ros.training.dataset import Windows
from ttdm_ros.training.rollouts import Rollouts
from ttdm_ros.training.sensitivities import SampleSensitivities
from ttdm_ros.training.store import PART, pieces

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PredictionMetrics:
    """Errors of rollouts along recorded torques, over the validation samples."""

    rmse: Array
    """Root mean square by step and state (p, 14) [rad, rad/s]."""
    explained: float
    """Share of the acceleration's square that the nominal arm leaves over and the model explains; 1 is all."""
    cost: float | None
    """Mean of ½ ‖Σ_k G_k ε_k‖²: what the errors cost the closed loop; None where no sample has sensitivities."""

    def plain(self) -> dict[str, Any]:
        """Return the figures for a bundle's description."""
        first, last = self.rmse[0], self.rmse[-1]
        figures = {
            "position_rmse_one_step": _rms(first[:7]),
            "velocity_rmse_one_step": _rms(first[7:]),
            "position_rmse_last_step": _rms(last[:7]),
            "velocity_rmse_last_step": _rms(last[7:]),
            "explained_acceleration": self.explained,
        }
        if self.cost is not None:
            figures["cost_of_errors"] = self.cost
        return {key: float(f"{value:.6g}") for key, value in figures.items()}


def measure(
    models: Sequence[PredictionModel],
    windows: Windows,
    nominal: NominalBatch,
    sensitivities: SampleSensitivities | None = None,
) -> list[PredictionMetrics]:
    """Measure models of one specification and normalisation on the validation samples."""
    usable = windows.validation if sensitivities is None else windows.validation & sensitivities.good
    if not usable.any():  # the errors can be told nevertheless, their cost cannot
        usable, sensitivities = windows.validation, None
    rows = np.flatnonzero(usable)
    rollouts = Rollouts(windows, NetworkStack(models), nominal, method="exact")
    squares, missing, cost = np.zeros((len(models), windows.p, 14)), np.zeros(len(models)), np.zeros(len(models))
    left_over = 0.0
    for piece in pieces(len(rows), PART):
        chosen = rows[piece]
        with torch.no_grad():
            errors = rollouts.errors(torch.from_numpy(chosen)).numpy()
        squares += np.square(errors).sum(axis=1)
        missing += np.square(errors[:, :, 0, 7:] / windows.dt).sum(axis=(1, 2))
        left_over += np.square(windows.part(chosen).residual).sum()
        if sensitivities is not None:
            g = sensitivities.part(chosen).g
            for i, error in enumerate(errors):
                effect = np.einsum("npri,npi->nr", g, error, optimize=True)
                cost[i] += 0.5 * np.square(effect).sum()
    return [
        PredictionMetrics(
            rmse=np.sqrt(squares[i] / len(rows)),
            explained=float(1.0 - missing[i] / max(left_over, 1e-300)),
            cost=None if sensitivities is None else float(cost[i] / len(rows)),
        )
        for i in range(len(models))
    ]


def measure_nominal(
    windows: Windows, nominal: NominalBatch, sensitivities: SampleSensitivities | None = None
) -> PredictionMetrics:
    """Measure the nominal arm likewise."""
    return measure([PredictionModel.nominal(ModelSpecification(hidden=()))], windows, nominal, sensitivities)[0]


def _rms(values: Array) -> float:
    return float(np.sqrt(np.square(values).mean()))
