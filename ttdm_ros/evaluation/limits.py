"""What a recorded run used of the limits of its arm."""

from dataclasses import dataclass

import numpy as np

from ttdm_ros.recording.reader import Recording
from ttdm_ros.recording.series import JointStates, Table
from ttdm_ros.systems.arm import Arm

_TOLERANCE = 1e-6  # of a limit: what rounding may make of a command that is exactly at its limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What was used of the limits, and how often one was exceeded: samples with any joint beyond it.

    None stands for what the bag does not tell.

    Attributes:
        torque_share: largest |torque| commanded over its limit; by joint in ``torque_shares``.
        torque_rate_share: the same for the change of torque from one joint state to the next, over the time between.
        torque_rate_max: largest such change [N·m/s].
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
    states, commands, limits = recording.joint_states, recording.commands, arm.limits
    torque = None if commands is None else _shares(commands.values, limits.effort)
    rates = None if commands is None or states is None else torque_rates(commands, states)
    rate = None if rates is None else _shares(rates, limits.effort_rate)
    surely = None if commands is None or states is None else torque_rates(commands, states, at_least=True)
    velocity = None if states is None else _shares(states.v, limits.velocity)
    margin = None
    if states is not None:
        margin = np.nanmin(np.minimum(states.q - limits.position_lower, limits.position_upper - states.q), axis=1)
    return Limits(
        torque_share=_largest(torque),
        torque_shares=None if torque is None or not len(torque) else tuple(np.nanmax(torque, axis=0).tolist()),
        torque_rate_share=_largest(rate),
        torque_rate_max=_largest(None if rates is None else np.abs(rates)),
        velocity_share=_largest(velocity),
        position_margin_rad=None if margin is None else float(margin.min()),
        torque_violations=_beyond(torque),
        torque_rate_violations=None if surely is None else _beyond(_shares(surely, limits.effort_rate)),
        velocity_violations=_beyond(velocity),
        position_violations=None if margin is None else int((margin < -_TOLERANCE).sum()),
    )


def torque_rates(commands: Table, states: JointStates, *, at_least: bool = False) -> np.ndarray:
    """Return the change of the commanded torque between joint states, over the time between, (n, 7) [N·m/s].

    A command belongs to the joint state that was published last before it; of several, the last counts. Times between
    are those of the stamps, as commands have none and arrive when the operating system lets them. On a busy machine a
    command may belong to a state before that: with ``at_least`` the time is what it was at most, so that only what
    certainly was a violation looks like one.
    """
    order = np.argsort(states.publish_time_ns, kind="stable")
    owner = np.searchsorted(states.publish_time_ns[order], commands.publish_time_ns, side="right") - 1
    known = owner >= 0
    owner, values = owner[known], commands.values[known]
    last = np.append(np.diff(owner) > 0, True)[: len(owner)]
    stamps = states.stamp_ns[order]
    before = np.maximum(owner[last][:-1] - 1, 0) if at_least else owner[last][:-1]
    seconds = (stamps[owner[last][1:]] - stamps[before]) * 1e-9
    rates: np.ndarray = np.diff(values[last], axis=0)[seconds > 0.0] / seconds[seconds > 0.0, None]
    return rates


def _shares(values: np.ndarray, limit: np.ndarray) -> np.ndarray:
    shares: np.ndarray = np.abs(values) / limit
    return shares


def _largest(values: np.ndarray | None) -> float | None:
    return None if values is None or not values.size else float(np.nanmax(values))


def _beyond(shares: np.ndarray | None) -> int | None:
    return None if shares is None else int((shares > 1.0 + _TOLERANCE).any(axis=1).sum())
