"""What is to be fine-tuned: all that a weighting may learn from."""

from collections.abc import Callable
from dataclasses import dataclass

from ttdm_ros.dynamics.nominal import NominalBatch
from ttdm_ros.dynamics.torch_form import NetworkStack
from ttdm_ros.training.config import TrainingConfig
from ttdm_ros.training.context import Context
from ttdm_ros.training.dataset import Windows
from ttdm_ros.training.optimiser import Progress


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tuning:
    """What is to be fine-tuned."""

    networks: NetworkStack
    """The first checkpoint, a stack of one; to be copied, not trained."""
    windows: Windows
    context: Context
    """Of all samples of ``windows``."""
    nominal: NominalBatch
    """Acceleration of the arm."""
    config: TrainingConfig
    on_progress: Callable[[Progress], None] = lambda progress: None
    """Told now and then."""
