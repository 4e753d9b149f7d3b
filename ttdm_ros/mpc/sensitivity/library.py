"""The compiled exact solver, made once for each arm, network shape and number of stages."""

import ctypes
import shutil
from pathlib import Path

import casadi as ca

from ttdm_ros.compilation import Sources, cached_library
from ttdm_ros.dynamics import source as model_source
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.mpc.tasks.reference import TABLE_COLUMNS
from ttdm_ros.systems.arm import Arm
from ttdm_ros.systems.rigid_body import RigidBody, rigid_body

SOURCES = Path(__file__).parent / "csrc"
POSE = 12  # columns of a reference row: position and rotation


def kkt_library(arm: Arm, specification: ModelSpecification, horizon: int) -> ctypes.CDLL:
    """Return the library for a problem, compiled now if that was never done on this machine.

    Raises:
        SolverError: a compiler is missing, or compiling failed.
    """

    def make(work: Path) -> Sources:
        for file in SOURCES.iterdir():
            shutil.copy(file, work)
        body = rigid_body(arm)
        functions = {
            "ttdm_forward_dynamics_hessian": body.forward_dynamics_hessian,
            "ttdm_tip_cost": tip_cost(body),
        }
        files = model_source.write_model(work, arm, specification, functions=functions, constants={"TTDM_N": horizon})
        if sizes := specification.packed_sizes:
            text = (
                f"enum {{ LAYERS = {len(sizes) - 1}, WIDEST = {max(sizes)} }};\n"
                f"static const int SIZES[] = {{{', '.join(map(str, sizes))}}};\n"
            )
            (work / "network_sizes.h").write_text(text, encoding="utf-8")
        files += [work / "kkt.c", work / "network_hessian.c"]
        return Sources(files=files, vectorised=model_source.VECTORISED, alone=model_source.ALONE)

    parts = [
        *model_source.key_parts(arm, specification),
        str(horizon),
        *model_source.texts([SOURCES, Path(__file__)]),
    ]
    return cached_library("kkt", parts, make)


def tip_cost(body: RigidBody) -> ca.Function:
    """``(q, row, weight) -> gradient, hessian, gauss_newton`` of the tip's cost ½ Σ w (y - y_ref)² by q.

    y (12) is position and rotation column by column; row and weight (33) are those of a stage.
    """
    q, row, weight = ca.SX.sym("q", 7), ca.SX.sym("row", TABLE_COLUMNS), ca.SX.sym("weight", TABLE_COLUMNS)
    position, rotation, position_q, rotation_q = body.tip_derivatives(q)
    error = ca.vertcat(position, ca.vec(rotation)) - row[:POSE]
    jacobian = ca.vertcat(position_q, rotation_q)
    gradient = jacobian.T @ (weight[:POSE] * error)
    gauss_newton = jacobian.T @ ca.diag(weight[:POSE]) @ jacobian
    outputs = ca.cse([gradient, ca.jacobian(gradient, q), gauss_newton])
    return ca.Function("tip_cost", [q, row, weight], [ca.densify(output) for output in outputs])
