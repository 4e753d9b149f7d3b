"""The first steps of all rollouts as a regression: from (q, v, tau) to the acceleration that is to be learned."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.training.dataset import Windows
from ttdm_ros.training.store import Store, moments, pieces

Array = NDArray[np.float64]


class FirstSteps:
    """What is given and what is wanted at n samples.

    Attributes:
        z: (q, v, tau) (n, 21).
        target: acceleration that the model has to yield (n, 7) [rad/s²]: what the nominal arm leaves over, or all.
        z_mean: over the samples that are trained on (21,).
        z_deviation: standard deviation over these (21,).
        target_mean: likewise (7,).
        target_deviation: likewise (7,).
    """

    def __init__(self, windows: Windows, structure: Literal["nominal", "residual", "full"], store: Store) -> None:
        """Work them out part by part."""
        z, target = store.column(21), store.column(7)
        for rows in pieces(len(windows)):
            part = windows.part(rows)
            z.append(part.z[:, 0])
            target.append(part.residual if structure == "residual" else part.taken[:, 0])
        self.z, self.target = z.finish(), target.finish()
        self.z_mean, self.z_deviation = _moments(self.z, windows.training)
        self.target_mean, self.target_deviation = _moments(self.target, windows.training)


def _moments(values: Array, chosen: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return mean and standard deviation of the chosen rows."""
    return moments(lambda: (values[rows][chosen[rows]] for rows in pieces(len(values))))
