"""The arm: what its seven joints are called, what they may do, and how they move nominally."""

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import casadi as ca
import numpy as np
import pinocchio as pin

from ttdm_ros.config import load
from ttdm_ros.errors import RobotError
from ttdm_ros.paths import find_config
from ttdm_ros.systems.chain import Chain, build_model, read_chain
from ttdm_ros.systems.completion import complete
from ttdm_ros.systems.parameters import JointParameters, RobotParameters
from ttdm_ros.systems.urdf import write_urdf


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JointLimits:
    """What the joints may do, base to tip; read-only arrays of shape (7,)."""

    position_lower: np.ndarray
    """[rad]"""
    position_upper: np.ndarray
    """[rad]"""
    velocity: np.ndarray
    """[rad/s]"""
    acceleration: np.ndarray
    """[rad/s²]"""
    effort: np.ndarray
    """Torque, without gravity [N·m]."""
    effort_rate: np.ndarray
    """[N·m/s]"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Arm:
    """A serial arm of seven revolute joints.

    A torque never includes gravity, here and in the whole package: the robot, or the plant that stands in for it, adds
    the nominal gravity torque to what is commanded. Arrays are read-only. All methods may be called from several
    threads at once.
    """

    name: str
    urdf: str
    """The whole robot, as RViz and MuJoCo read it."""
    model: pin.Model
    """The seven joints in the root frame of the URDF, all others fixed at zero; ``armature`` is ``rotor_inertia``."""
    joint_names: tuple[str, ...]
    """Base to tip."""
    base_frame: str
    tip_frame: str
    limits: JointLimits
    home: np.ndarray
    """Posture at rest, where tasks start, (7,) [rad]."""
    rotor_inertia: np.ndarray
    """Of the motors, seen at the joints, (7,) [kg·m²]."""
    coulomb_friction: np.ndarray
    """(7,) [N·m]; not part of the nominal dynamics."""
    viscous_friction: np.ndarray
    """(7,) [N·m·s/rad]; not part of the nominal dynamics."""

    def tip_pose(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return position (3,) [m] and rotation (3, 3) of the tip in the base frame, at ``q`` (7,) [rad]."""
        data = self._data
        pin.forwardKinematics(self.model, data, q)
        pose = self.base_placement.actInv(data.oMi[7].act(self.tip_placement))
        return pose.translation.copy(), pose.rotation.copy()

    def tip_jacobian(self, q: np.ndarray) -> np.ndarray:
        """Return the Jacobian (6, 7) of the tip at ``q`` (7,) [rad]: its twist by joint velocity.

        Rows are the linear velocity of the tip's origin, then its angular velocity, along the axes of the base frame.
        """
        along_root = pin.computeFrameJacobian(
            self.model, self._data, q, self._tip_id, pin.ReferenceFrame.LOCAL_WORLD_ALIGNED
        )
        jacobian: np.ndarray = (self.base_placement.rotation.T @ along_root.reshape(2, 3, 7)).reshape(6, 7)
        return jacobian

    def inverse_dynamics(self, q: np.ndarray, v: np.ndarray, a: np.ndarray) -> np.ndarray:
        """Return the torque (7,) [N·m], without gravity, for ``q`` [rad], ``v`` [rad/s], ``a`` [rad/s²], each (7,)."""
        data = self._data
        tau: np.ndarray = pin.rnea(self.model, data, q, v, a) - pin.computeGeneralizedGravity(self.model, data, q)
        return tau

    def forward_dynamics(self, q: np.ndarray, v: np.ndarray, tau: np.ndarray) -> np.ndarray:
        """Return the acceleration (7,) [rad/s²] for ``q`` [rad], ``v`` [rad/s], ``tau`` without gravity, each (7,)."""
        data = self._data
        with_gravity = tau + pin.computeGeneralizedGravity(self.model, data, q)
        a: np.ndarray = pin.aba(self.model, data, q, v, with_gravity).copy()
        return a

    def gravity_torque(self, q: np.ndarray) -> np.ndarray:
        """Return the torque (7,) [N·m] that holds the arm against gravity at ``q`` (7,) [rad]."""
        tau: np.ndarray = pin.computeGeneralizedGravity(self.model, self._data, q).copy()
        return tau

    def further_torque(self, q: ca.SX, v: ca.SX) -> ca.SX:
        """Return the torque (7, 1) [N·m] that dynamics takes beyond its rigid bodies: none, for a nominal arm.

        A place for arms of which more is known: see ``evaluation/study/oracle.py``.
        """
        return ca.SX(7, 1)

    @cached_property
    def base_placement(self) -> pin.SE3:
        """The base frame in the root frame of the URDF."""
        return self.model.frames[self.model.getFrameId(self.base_frame, pin.FrameType.BODY)].placement

    @cached_property
    def tip_placement(self) -> pin.SE3:
        """The tip frame in the frame of the seventh joint."""
        return self.model.frames[self._tip_id].placement

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that change with dynamics, friction, kinematics, limits and names of joints.

        Texts that mean the same robot have the same fingerprint: comments, shapes, names of links and digits beyond
        the twelfth decimal do not count.
        """
        model, limits = self.model, self.limits
        numbers = [
            self.base_placement.homogeneous,
            self.tip_placement.homogeneous,
            model.gravity.vector,
            *(model.jointPlacements[i].homogeneous for i in range(1, 8)),
            *(body.toDynamicParameters() for body in list(model.inertias)[1:]),
            joint_axes(model),
            *(getattr(limits, field.name) for field in fields(limits)),
            *(self.rotor_inertia, self.coulomb_friction, self.viscous_friction),
        ]
        # Rounded, as the last digits differ with the machine's cosine; + 0.0 turns -0.0 into 0.0.
        digits = (np.round(np.concatenate([np.ravel(x) for x in numbers]), 12) + 0.0).astype("<f8").tobytes()
        return hashlib.sha256(digits + "\n".join(self.joint_names).encode()).hexdigest()[:16]

    @cached_property
    def _tip_id(self) -> int:
        return int(self.model.getFrameId(self.tip_frame, pin.FrameType.BODY))

    @cached_property
    def _scratch(self) -> threading.local:
        return threading.local()

    @property
    def _data(self) -> pin.Data:
        """Pinocchio's work space, one for each thread."""
        try:
            return self._scratch.data
        except AttributeError:
            self._scratch.data = self.model.createData()
            return self._scratch.data

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def joint_axes(model: pin.Model) -> np.ndarray:
    """Return the unit axes of seven revolute joints, each in its own frame, (7, 3)."""
    data = model.createData()
    pin.computeJointJacobians(model, data, pin.neutral(model))
    return np.array([pin.getJointJacobian(model, data, i, pin.ReferenceFrame.LOCAL)[3:, i - 1] for i in range(1, 8)])


def load_arm(name_or_path: str | Path, *, base_frame: str | None = None, tip_frame: str | None = None) -> Arm:
    """Load an arm that ships (``panda``, ``fr3``), or one from a parameter file (``.yaml``) or a URDF (``.urdf``).

    Of a URDF the joints between two links are taken, and every other joint is fixed at zero. What a URDF does not say
    is read from ``<stem>.ttdm.yaml`` beside it, or else set on the safe side: see :mod:`ttdm_ros.systems.completion`.

    Args:
        name_or_path: a name of ``config/robots/``, or a file.
        base_frame: the link in which poses are expressed; default: what the parameter file says, or the URDF's root.
        tip_frame: the link that is to be moved; default: what the parameter file says, or the URDF's only leaf.

    Raises:
        ConfigError: there is no such file, or a YAML file is not as it must be.
        RobotError: the URDF is not a serial arm of seven joints, or lacks something that is needed.
    """
    path = find_config("robots", name_or_path)
    match path.suffix:
        case ".yaml" | ".yml":
            parameters = load(path, RobotParameters)
            urdf = write_urdf(parameters)
            chain = read_chain(urdf, path, base_frame or parameters.base_frame, tip_frame or parameters.tip_frame)
            return _assemble(urdf, chain, build_model(chain), parameters)
        case ".urdf":
            return _from_urdf(path, base_frame, tip_frame)
        case _:
            raise RobotError(f"{path}: a robot is a .yaml or .urdf file; give one (write xacro out to a .urdf first)")


def _from_urdf(path: Path, base_frame: str | None, tip_frame: str | None) -> Arm:
    try:
        urdf = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RobotError(f"{path}: cannot be read as text in UTF-8 ({error}); check the file") from error
    chain = read_chain(urdf, path, base_frame, tip_frame)
    model = build_model(chain)
    return _assemble(urdf, chain, model, complete(chain, model, path.with_suffix(".ttdm.yaml")))


def _assemble(urdf: str, chain: Chain, model: pin.Model, joints: JointParameters) -> Arm:
    model.armature = np.array(joints.rotor_inertia)
    return Arm(
        name=chain.name,
        urdf=urdf,
        model=model,
        joint_names=chain.joint_names,
        base_frame=chain.base_frame,
        tip_frame=chain.tip_frame,
        limits=JointLimits(**{key: _read_only(values) for key, values in joints.limits}),
        home=_read_only(joints.home),
        rotor_inertia=_read_only(joints.rotor_inertia),
        coulomb_friction=_read_only(joints.coulomb_friction),
        viscous_friction=_read_only(joints.viscous_friction),
    )


def _read_only(values: Sequence[float]) -> np.ndarray:
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array
