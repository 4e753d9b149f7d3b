"""The compiled real-time solver, made once for each arm, network shape and number of stages."""

import ctypes
import shutil
from collections.abc import Callable
from pathlib import Path

from ttdm_ros.compilation import Sources, cached_library
from ttdm_ros.dynamics import source as model_source
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.mpc import acados, problem
from ttdm_ros.systems.arm import Arm
from ttdm_ros.systems.rigid_body import rigid_body

SOURCES = Path(__file__).parent / "csrc"


def solver_library(
    arm: Arm, specification: ModelSpecification, horizon: int, *, announce: Callable[[str], None] | None = None
) -> ctypes.CDLL:
    """Return the library for a problem, compiled now if that was never done on this machine.

    Args:
        arm: whose nominal dynamics and kinematics the problem has.
        specification: of the networks it can take.
        horizon: stages N.
        announce: told, in a sentence, when compiling starts.

    Raises:
        SolverError: acados or a compiler is missing, or compiling failed.
    """
    acados.load_libraries()

    def make(work: Path) -> Sources:
        for file in SOURCES.iterdir():
            shutil.copy(file, work)
        files = model_source.write_model(work, arm, specification, constants={"TTDM_N": horizon})
        acados.generate(problem.build(rigid_body(arm), horizon), work)
        (work / "acados_version.h").write_text(acados.describe(work, problem.NAME), encoding="utf-8")
        generated = [f for f in work.rglob("*.c") if not f.name.startswith(("main", "acados_sim_"))]
        copies = work / f"{problem.NAME}_model"  # acados' copy of our callbacks
        files += [f for f in generated if f.parent != copies and f not in files]
        installation = acados.find()
        includes = [f"-I{folder}" for folder in (work, *installation.include_folders)]
        return Sources(
            files=files,
            vectorised=model_source.VECTORISED,
            alone=model_source.ALONE,
            flags=includes,
            libraries=[f"-L{installation.root / 'lib'}", "-lacados", "-lhpipm", "-lblasfeo"],
        )

    def tell() -> None:
        if announce is not None:
            announce(
                f"compiling the solver for {arm.name}, {specification.structure} {list(specification.hidden)}, "
                f"{horizon} stages; once for this machine, a few seconds"
            )

    return cached_library("solver", key_parts(arm, specification, horizon), make, announce=tell)


def key_parts(arm: Arm, specification: ModelSpecification, horizon: int) -> list[str]:
    """Return everything the compiled code depends on, apart from compiler and processor."""
    modules = [Path(module.__file__ or "") for module in (problem, acados)]
    return [
        *model_source.key_parts(arm, specification),
        str(horizon),
        acados.find().identity,
        *model_source.texts([SOURCES, *modules, Path(__file__)]),
    ]
