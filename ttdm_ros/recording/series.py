"""What a bag yields: one immutable object a topic, arrays of one row a message."""

from dataclasses import dataclass

import numpy as np

from ttdm_ros.recording.sequence import count_missing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """Times of n messages of a topic, in the order they were received.

    Attributes:
        topic: full name in the bag.
        log_time_ns: when the recorder received it [ns], (n,).
        publish_time_ns: when its publisher sent it [ns], (n,); the log time in bags that do not keep it.
        sequence: the publisher's numbers, (n,); all zero in bags that do not keep them.
    """

    topic: str
    log_time_ns: np.ndarray
    publish_time_ns: np.ndarray
    sequence: np.ndarray

    def __len__(self) -> int:
        """Return the number of messages."""
        return len(self.log_time_ns)

    @property
    def missing(self) -> int | None:
        """Messages absent between the first and the last, by the publisher's numbers; None if they cannot tell."""
        return count_missing(self.sequence)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JointStates(Series):
    """Measured states: ``stamp_ns`` (n,) of the plant, ``q`` [rad], ``v`` [rad/s], ``tau`` [N·m], each (n, joints).

    A joint that a message does not hold is NaN there.
    """

    names: tuple[str, ...]
    stamp_ns: np.ndarray
    q: np.ndarray
    v: np.ndarray
    tau: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table(Series):
    """Rows of numbers, ``values`` (n, columns): commands ``tau`` [N·m], or topics.TIMING_COLUMNS and the like."""

    values: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trajectories(Series):
    """Tip trajectories of m points, each relative to its stamp; shorter ones are filled up with NaN.

    Attributes:
        stamp_ns: time of the header [ns], (n,).
        frame: frame of the header.
        time_from_start: [s], (n, m).
        position: [m], (n, m, 3).
        quaternion: x, y, z, w, (n, m, 4).
        linear_velocity: [m/s], (n, m, 3).
        angular_velocity: [rad/s], (n, m, 3).
    """

    stamp_ns: np.ndarray
    frame: str
    time_from_start: np.ndarray
    position: np.ndarray
    quaternion: np.ndarray
    linear_velocity: np.ndarray
    angular_velocity: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Poses(Series):
    """Live targets: ``stamp_ns`` (n,), ``position`` (n, 3) [m], ``quaternion`` (n, 4) x, y, z, w in ``frame``."""

    stamp_ns: np.ndarray
    frame: str
    position: np.ndarray
    quaternion: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Texts(Series):
    """Texts, one a message."""

    text: tuple[str, ...]
