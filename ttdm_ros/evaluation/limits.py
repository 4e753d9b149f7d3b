"""What a recorded run used of the limits of its arm."""

from dataclasses import dataclass

import numpy as np

from ttdm_ros.evaluation.torque_changes import changes_of_torque_asked
from ttdm_ros.recording.reader import Recording
from ttdm_ros.systems.arm import Arm

_TOLERANCE = 1e-6  # of a limit: what rounding may make of a command that is exactly at its limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What was used of the limits, and how often one was exceeded: samples with any joint beyond it.

    None stands for what the bag does not tell.

    Attributes:
        torque_share: largest |torque| asked of the arm over its limit; by joint in ``torque_shares``.
        torque_rate_share: the same for its rate of change; where the time of a change is not known, that is the
            longest it can have taken, so that the share is at least so much.
        torque_rate_max: largest such rate [N·m/s].
        velocity_share: largest |velocity| over its limit.
        position_margin_rad: smallest distance to a position limit; negative beyond it.
    """

    torque_share: float | None
    torque_shares: tuple[float, ...] | None
    torque_rate_share: float | None
    torque_rate_max: float | None
    velocity_share: float | None
    position_margin_rad: float | None
    torque_violations: int | None
    torque_rate_violations: int | None
    velocity_violations: int | None
    position_violations: int | None

    @property
    def violations(self) -> int:
        """All samples beyond a limit that are known."""
        counts = (
            self.torque_violations, self.torque_rate_violations, self.velocity_violations, self.position_violations
        )  # fmt: skip
        return sum(count or 0 for count in counts)


def use_of_limits(recording: Recording, arm: Arm) -> Limits:
    """Compare positions, velocities, torques and torque rates of a recording with the limits of its arm."""
    states, limits = recording.joint_states, arm.limits
    asked, changes = torque_asked(recording), changes_of_torque_asked(recording)
    torque = None if asked is None else shares_of(asked, limits.effort)
    rate = None if changes is None else shares_of(changes.rates, limits.effort_rate)
    velocity = None if states is None else shares_of(states.v, limits.velocity)
    margin = None
    if states is not None:
        margin = np.nanmin(np.minimum(states.q - limits.position_lower, limits.position_upper - states.q), axis=1)
    return Limits(
        torque_share=_largest(torque),
        torque_shares=None if torque is None or not len(torque) else tuple(np.nanmax(torque, axis=0).tolist()),
        torque_rate_share=_largest(rate),
        torque_rate_max=_largest(None if changes is None else np.abs(changes.rates)),
        velocity_share=_largest(velocity),
        position_margin_rad=None if margin is None else float(margin.min()),
        torque_violations=_beyond(torque),
        torque_rate_violations=_beyond(rate),
        velocity_violations=_beyond(velocity),
        position_violations=None if margin is None else int((margin < -_TOLERANCE).sum()),
    )


def torque_asked(recording: Recording) -> np.ndarray | None:
    """Return the torques (n, joints) [N·m] that a Franka arm was asked for, or else the commanded ones."""
    if recording.franka_desired is not None:
        return recording.franka_desired.tau
    return None if recording.commands is None else recording.commands.values


def shares_of(values: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Return |values| over their limits; what rounding took beyond a limit is at it."""
    shares = np.abs(values) / limit
    shares[np.abs(shares - 1.0) < _TOLERANCE] = 1.0
    return shares


def _largest(values: np.ndarray | None) -> float | None:
    return None if values is None or np.isnan(values).all() else float(np.nanmax(values))


def _beyond(shares: np.ndarray | None) -> int | None:
    return None if shares is None else int((shares > 1.0).any(axis=1).sum())
