"""The one module that knows where acados is and in what its versions differ.

Two installations are supported: the user's own (``ACADOS_SOURCE_DIR``, built from source, v0.2 to v0.6), which is
preferred, and the wheel that ``make venv`` and ``setup_ros_workspace.sh`` put into ``<prefix>/share/acados-wheel``.
"""

import ctypes
import inspect
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

from ttdm_ros.errors import SolverError

# In the order in which they need one another. They are loaded globally because the libraries of the wheel carry no
# search path of their own.
_LIBRARIES = ("libblasfeo.so", "libhpipm.so", "libqpOASES_e.so", "libacados.so")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One acados installation."""

    root: Path
    """Folder with ``include/`` and ``lib/``."""
    interface: Path
    """Folder to put on ``sys.path`` so that ``import acados_template`` works."""

    @property
    def include_folders(self) -> tuple[Path, ...]:
        """Folders with the headers of acados and of the libraries in it."""
        include = self.root / "include"
        return include, include / "acados", include / "blasfeo" / "include", include / "hpipm" / "include"

    @property
    def identity(self) -> str:
        """Changes whenever the libraries do: part of the key under which compiled solvers are cached."""
        stat = (self.root / "lib" / "libacados.so").resolve().stat()
        return f"{self.root}:{stat.st_size}:{stat.st_mtime_ns}"


@cache
def find() -> Installation:
    """Find acados: ``ACADOS_SOURCE_DIR`` first, then the wheel inside the Python environment.

    Raises:
        SolverError: neither is there, or the one that ``ACADOS_SOURCE_DIR`` names is not built.
    """
    if own := os.environ.get("ACADOS_SOURCE_DIR"):
        root = Path(own).expanduser()
        if not (root / "lib" / "libacados.so").is_file():
            raise SolverError(
                f"ACADOS_SOURCE_DIR is {root}, but there is no lib/libacados.so in it; build and install acados there, "
                "or unset the variable to use the wheel"
            )
        interface = os.environ.get("ACADOS_PYTHON_INTERFACE_PATH")
        folder = Path(interface).parent if interface else root / "interfaces" / "acados_template"
        return Installation(root=root, interface=folder)
    wheel = Path(sys.prefix) / "share" / "acados-wheel" / "acados"
    if (wheel / "install" / "lib" / "libacados.so").is_file():
        return Installation(root=wheel / "install", interface=wheel)
    raise SolverError(
        "acados was not found; run 'make venv' in the source tree or, in a ROS 2 workspace, this package's "
        "tools/setup_ros_workspace.sh, or set ACADOS_SOURCE_DIR to your own installation"
    )


@cache
def load_libraries() -> None:
    """Load the shared libraries of acados into the process, once."""
    # One solver is smaller than the start-up of a thread team: with OpenMP builds anything but 1 costs milliseconds.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    folder = find().root / "lib"
    for name in _LIBRARIES:
        candidates = [folder / name, *sorted(folder.glob(f"{name}.*"))]
        for candidate in candidates:
            if candidate.is_file():
                try:
                    ctypes.CDLL(str(candidate), mode=ctypes.RTLD_GLOBAL)
                except OSError as error:
                    raise SolverError(f"{candidate} cannot be loaded ({error}); install acados again") from error
                break


def template() -> Any:
    """Import ``acados_template`` of the installation found."""
    installation = find()
    os.environ.setdefault("ACADOS_SOURCE_DIR", str(installation.root))
    os.environ.setdefault("ACADOS_PYTHON_INTERFACE_PATH", str(installation.interface / "acados_template"))
    renderer = installation.root / "bin" / "t_renderer"
    if renderer.is_file():
        os.environ.setdefault("TERA_PATH", str(renderer))
    if str(installation.interface) not in sys.path:
        sys.path.append(str(installation.interface))
    try:
        import acados_template
    except ImportError as error:
        raise SolverError(
            f"acados_template cannot be imported ({error}); install its Python requirements: pip install "
            f"{installation.interface}"
        ) from error
    return acados_template


def set_option(options: Any, name: str, value: Any) -> None:
    """Set a solver option, refusing names that this acados does not know (it would ignore them silently)."""
    if not hasattr(options, name):
        raise SolverError(f"this acados has no solver option '{name}'; use another version of acados")
    setattr(options, name, value)


def new_ocp(horizon: int) -> Any:
    """Return an empty ``AcadosOcp`` with that many stages, whichever name this version has for their number."""
    ocp = template().AcadosOcp()
    if hasattr(ocp.solver_options, "N_horizon"):
        ocp.solver_options.N_horizon = horizon
    else:
        ocp.dims.N = horizon
    return ocp


def generate(ocp: Any, folder: Path) -> None:
    """Write the C code of the solver into ``folder``; nothing is compiled."""
    json_file = str(folder / "ocp.json")
    where = getattr(ocp, "code_gen_options", ocp)  # from v0.5.4 on
    where.code_export_directory = str(folder)
    generate_code = template().AcadosOcpSolver.generate
    arguments = {"json_file": json_file} if "json_file" in inspect.signature(generate_code).parameters else {}
    if not arguments:
        where.json_file = json_file
    with _inside(folder), redirect_stdout(StringIO()) as output:
        try:
            generate_code(ocp, **arguments)
        except Exception as error:
            raise SolverError(f"acados could not generate the solver: {error} {output.getvalue()[-300:]}") from error


def require_differentiation() -> None:
    """Refuse an acados that cannot differentiate its solutions.

    Raises:
        SolverError: it cannot.
    """
    module = template()
    needed = ("setup_qp_matrices_and_factorize", "eval_adjoint_solution_sensitivity")
    able = all(hasattr(module.AcadosOcpSolver, name) for name in needed)
    if not able or not hasattr(module.AcadosOcp(), "code_gen_options"):
        raise SolverError(
            f"the acados in {find().root} cannot differentiate its solutions; build v0.5.4 or later and name it by "
            "ACADOS_SOURCE_DIR, or take this package's own sensitivities"
        )


def differentiable_solver(ocp: Any, folder: Path, *, build: bool) -> Any:
    """Return the ``AcadosOcpSolver`` that lies in ``folder``, made there first with ``build``.

    Raises:
        SolverError: it cannot be generated, compiled or loaded.
    """
    options = ocp.code_gen_options
    options.code_export_directory, options.json_file = str(folder), str(folder / "ocp.json")
    adjoint = "with_solution_sens_wrt_params_adj"  # from v0.5.6 on
    set_option(options, adjoint if hasattr(options, adjoint) else "with_solution_sens_wrt_params", True)
    set_option(options, "ext_fun_compile_flags", "-O1")  # more takes minutes and saves microseconds
    solver = template().AcadosOcpSolver
    wanted = {"generate": build, "build": build, "verbose": False, "check_reuse_possible": False}
    known = inspect.signature(solver.__init__).parameters
    with _inside(folder), redirect_stdout(StringIO()) as output, warnings.catch_warnings(action="ignore"):
        try:
            return solver(ocp, **{name: value for name, value in wanted.items() if name in known})
        except Exception as error:
            raise SolverError(
                f"acados could not make the differentiable solver: {error} {output.getvalue()[-300:]}"
            ) from error


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """acados writes some files relative to the current folder: work in ``folder``, then return."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def describe(folder: Path, name: str) -> str:
    """Return a C header that gives the code generated in ``folder`` for a model the same face in every version.

    With it, functions and types of the generated solver begin with ``<name>_`` (from v0.5.4 on they carry a hash), and
    what takes other arguments from version to version is a macro: ``set_bound``, ``set_iterate``, ``get_at_stage`` and
    ``get_statistic`` of a solver, ``reset`` of a capsule.
    """
    (generated,) = folder.glob("acados_solver_*.h")
    prefix = generated.stem.removeprefix("acados_solver_")
    declared = generated.read_text(encoding="utf-8")
    functions = (find().root / "include" / "acados_c" / "ocp_nlp_interface.h").read_text(encoding="utf-8")
    lines = [f'#include "{generated.name}"']
    if prefix != name:
        symbols = sorted(set(re.findall(rf"\b{prefix}_(acados_\w+|solver_capsule)\b", declared)))
        lines += [f"#define {name}_{symbol} {prefix}_{symbol}" for symbol in symbols]

    def takes(function: str, kind: str) -> bool:
        return kind in _arguments(functions, function)

    bound = ", (s)->out" if takes("ocp_nlp_constraints_model_set", "ocp_nlp_out") else ""
    iterate = ", (s)->in" if takes("ocp_nlp_out_set", "ocp_nlp_in") else ""
    of_stage = "" if not takes("ocp_nlp_get_at_stage", "ocp_nlp_config") else "(s)->config, (s)->dims, "
    of_solver = "" if not takes("ocp_nlp_get", "ocp_nlp_config") else "(s)->config, "
    more = _arguments(declared, f"{prefix}_acados_reset").count(",") - 1  # what else could be reset
    both = "(s)->config, (s)->dims"
    calls = {
        "set_bound(s, k, field, value)": f"ocp_nlp_constraints_model_set({both}, (s)->in{bound}, k, field, value)",
        "set_iterate(s, k, field, value)": f"ocp_nlp_out_set({both}, (s)->out{iterate}, k, field, value)",
        "get_at_stage(s, k, field, value)": f"ocp_nlp_get_at_stage({of_stage}(s)->nlp, k, field, value)",
        "get_statistic(s, field, value)": f"ocp_nlp_get({of_solver}(s)->nlp, field, value)",
        "reset(capsule)": f"{prefix}_acados_reset(capsule, 1{', 0' * more})",
    }
    return "\n".join([*lines, *(f"#define {macro} {call}" for macro, call in calls.items()), ""])


def _arguments(header: str, function: str) -> str:
    """Return the arguments that a header declares for a function."""
    found = re.search(rf"\b{function}\s*\(([^)]*)\)\s*;", header)
    if found is None:
        raise SolverError(f"this acados has no function {function}; use another version of acados (v0.2 to v0.6)")
    return found[1]
