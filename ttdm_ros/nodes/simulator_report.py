"""What the simulator says about itself once a second."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

_PERIOD_S = 1.0
_KEEPING_UP = 0.98  # achieved over wanted speed below which the machine is too slow


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Totals since the start."""

    plant_ns: int
    """Plant time [ns]."""
    late_ticks: int
    """Ticks that came more than a period after they were due."""
    given_up_ns: int
    """Wall time that was not made up for [ns]."""
    received: int
    """Commands that arrived."""
    refused: int
    """Commands that were malformed."""
    saturated_steps: int
    """Plant steps in which a command was cut to the effort limits."""


class SimulatorReport:
    """Compares the counts of now with those of the report before, and puts the worst of it first."""

    def __init__(self, counts: Counts, wanted_factor: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin now; ``wanted_factor`` is plant time over wall time, ``clock`` returns wall time [s]."""
        self._wanted_factor = wanted_factor
        self._clock = clock
        self._before, self._wall = counts, clock()

    def due(self) -> bool:
        """Return whether a second of wall time has passed since the report before."""
        return self._clock() - self._wall >= _PERIOD_S

    def status(self, now: Counts, *, holding: bool, refusal: str) -> DiagnosticStatus:
        """Return the status of the time since the report before, and begin the next.

        Args:
            now: totals since the start.
            holding: whether the plant's brakes act.
            refusal: why the latest refused command was refused.
        """
        before, wall = self._before, self._clock()
        factor = 1e-9 * (now.plant_ns - before.plant_ns) / (wall - self._wall)
        self._before, self._wall = now, wall
        warnings = []
        if refused := now.refused - before.refused:
            warnings.append(f"{refused} commands refused: {refusal}")
        if holding and now.received:
            warnings.append("commands stopped, the brakes hold the arm")
        if now.saturated_steps > before.saturated_steps:
            warnings.append("commands beyond the effort limits were cut")
        if factor < _KEEPING_UP * self._wanted_factor:
            warnings.append(f"the machine cannot keep up: {factor:.2f} times real time, not {self._wanted_factor:g}")
        values = {"real_time_factor": f"{factor:.3f}", "holding": str(holding).lower()}
        values |= {key: str(value) for key, value in asdict(now).items()}
        return DiagnosticStatus(
            level=DiagnosticStatus.WARN if warnings else DiagnosticStatus.OK,
            message="; ".join(warnings) or ("waiting for commands, the brakes hold the arm" if holding else "running"),
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )
