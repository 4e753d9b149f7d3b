"""Compiled solvers: made once for each arm, network shape and number of stages, then loaded from the user's cache."""

import ctypes
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import casadi as ca

from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.errors import SolverError
from ttdm_ros.mpc import acados, problem
from ttdm_ros.paths import cache_folder
from ttdm_ros.systems.arm import Arm
from ttdm_ros.systems.rigid_body import RigidBody, rigid_body

SOURCES = Path(__file__).parent / "csrc"
LIBRARY = "libttdm_solver.so"
LICENCE_TO_REORDER = ("-fno-math-errno", "-fassociative-math", "-fno-signed-zeros", "-fno-trapping-math")

# -ffast-math while linking would make the processor flush denormals in the whole process, so it is never used; what it
# would gain is in the flags above. The network alone is compiled with all of it but for NaN, which must stay NaN.
_FLAGS = ("-std=gnu11", "-fPIC", "-O3", "-march=native", *LICENCE_TO_REORDER)
_NETWORK_FLAGS = ("-ffast-math", "-fno-finite-math-only")


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
    folder = cache_folder() / "solvers" / key(arm, specification, horizon)
    with _locked(folder):
        if not (folder / LIBRARY).is_file():
            if announce is not None:
                announce(
                    f"compiling the solver for {arm.name}, {specification.structure} {list(specification.hidden)}, "
                    f"{horizon} stages; once for this machine, about half a minute"
                )
            _make(arm, specification, horizon, folder)
    try:
        return ctypes.CDLL(str(folder / LIBRARY))
    except OSError as error:
        raise SolverError(f"the solver in {folder} cannot be loaded ({error}); remove that folder") from error


def key(arm: Arm, specification: ModelSpecification, horizon: int) -> str:
    """Hash of everything the compiled code depends on."""
    parts = [
        arm.fingerprint,
        specification.structure,
        str(specification.packed_sizes),
        str(horizon),
        acados.find().identity,
        ca.__version__,
        _compiler_version(),
        _processor(),
        *(path.read_text(encoding="utf-8") for path in sorted(SOURCES.iterdir())),
        *(Path(module.__file__ or "").read_text(encoding="utf-8") for module in (problem, acados)),
        Path(__file__).read_text(encoding="utf-8"),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]


def network_source(sizes: tuple[int, ...]) -> str:
    """Return the C function that evaluates a network of these layer sizes, with every size a constant."""
    pairs = list(zip(sizes, sizes[1:], strict=False))
    offsets, offset = [], 0
    for before, after in pairs:
        offsets.append((offset, offset + before * after))
        offset += (before + 1) * after
    last = len(pairs) - 1
    lines = [
        "static void network(const double *restrict w, const double *restrict z, double *value, double *jacobian)",
        "{",
    ]
    for i, (before, after) in enumerate(pairs):
        target, source = ("value" if i == last else f"h{i}"), ("z" if i == 0 else f"h{i - 1}")
        if i < last:
            lines.append(f"    double h{i}[{after}];")
        lines.append(f"    affine(w + {offsets[i][0]}, w + {offsets[i][1]}, {before}, {after}, {source}, {target});")
        if i < last:
            lines.append(f"    hyperbolic_tangent({after}, h{i});")
    lines.append("    if (jacobian == NULL) return;")
    left = f"(w + {offsets[last][0]})"
    for i in range(last - 1, -1, -1):
        before, after = pairs[i]
        product = "jacobian" if i == 0 else f"g{i}"
        if i:
            lines.append(f"    double g{i}[7 * {before}];")
        lines.append(f"    backward(w + {offsets[i][0]}, h{i}, {before}, {after}, {left}, {product});")
        left = product
    if last == 0:
        lines.append(f"    for (int i = 0; i < 7 * {sizes[0]}; i++) jacobian[i] = w[i];")
    return "\n".join([*lines, "}", ""])


def _make(arm: Arm, specification: ModelSpecification, horizon: int, folder: Path) -> None:
    """Generate and compile next to the final place, then move the result there in one step."""
    work = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        for source in SOURCES.iterdir():
            shutil.copy(source, work)
        body = rigid_body(arm)
        work_size = _write_arm(body, work / "arm.c")
        sizes = (
            f"#define TTDM_N {horizon}\n#define TTDM_STRUCTURE_{specification.structure.upper()}\n"
            f"#define TTDM_CASADI_WORK {work_size}\n"
        )
        (work / "sizes.h").write_text(sizes, encoding="utf-8")
        if specification.packed_sizes:
            (work / "network.h").write_text(network_source(specification.packed_sizes), encoding="utf-8")
        acados.generate(problem.build(body, horizon), work)
        _compile(work)
        folder.mkdir(exist_ok=True)
        os.replace(work / LIBRARY, folder / LIBRARY)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write_arm(body: RigidBody, path: Path) -> int:
    """Write the nominal dynamics as C and return the size of its work vector."""
    functions = {"ttdm_forward_dynamics": body.forward_dynamics}
    functions["ttdm_forward_dynamics_derivatives"] = body.forward_dynamics_derivatives
    generator = ca.CodeGenerator(path.name, {"casadi_int": "long long"})
    for name, function in functions.items():
        arguments = function.sx_in()
        generator.add(ca.Function(name, arguments, function.call(arguments)))
    generator.generate(f"{path.parent}{os.sep}")
    return max(int(function.sz_w()) for function in functions.values())


def _compile(work: Path) -> None:
    compiler = _compiler()
    acados_sources = [path for path in work.rglob("*.c") if not path.name.startswith(("main", "acados_sim_"))]
    sources = [path for path in acados_sources if path.parent != work / f"{problem.NAME}_model"]
    installation = acados.find()
    includes = [f"-I{folder}" for folder in (work, *installation.include_folders)]
    defines = ["-DTTDM_NEW_SETTERS"] if acados.has_new_setters() else []

    def compile_one(source: Path) -> Path:
        target = source.with_suffix(".o")
        extra = _NETWORK_FLAGS if source.name == "model.c" else ()
        _run([compiler, *_FLAGS, *extra, *defines, *includes, "-c", str(source), "-o", str(target)], work)
        return target

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        objects = list(pool.map(compile_one, sorted(sources, key=lambda path: -path.stat().st_size)))
    libraries = [f"-L{installation.root / 'lib'}", "-lacados", "-lhpipm", "-lblasfeo", "-lm"]
    # The vector library of glibc holds a tanh for four numbers at once; where there is none, the linker finds no use for it.
    vector = ["-Wl,--as-needed", "-lmvec"] if platform.machine() == "x86_64" else []
    _run([compiler, "-shared", "-o", LIBRARY, *map(str, objects), *libraries, *vector], work)


def _run(command: list[str], folder: Path) -> None:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        tail = " ".join(result.stderr.split())[-400:]
        raise SolverError(f"compiling the solver failed: {tail}; check the compiler and acados' headers")


def _compiler() -> str:
    for name in filter(None, (os.environ.get("CC"), "gcc", "cc", "clang")):
        if found := shutil.which(name):
            return found
    raise SolverError("no C compiler was found; install gcc (apt-get install gcc libc6-dev)")


def _compiler_version() -> str:
    result = subprocess.run([_compiler(), "--version"], capture_output=True, text=True, check=False)
    return result.stdout.splitlines()[0] if result.stdout else ""


def _processor() -> str:
    """What -march=native depends on: the instructions this processor has."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    return next((line for line in text.splitlines() if line.startswith(("flags", "Features"))), platform.machine())


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time make what is in ``folder``; the others wait for it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
