"""The one module that knows where acados is and in what its versions differ.

Two installations are supported: the user's own (``ACADOS_SOURCE_DIR``, built from source, v0.2 to v0.6), which is
preferred, and the wheel that ``make venv`` puts into ``<prefix>/share/acados-wheel``.
"""

import ctypes
import os
import sys
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
        "acados was not found; run 'make venv' in the source tree, or set ACADOS_SOURCE_DIR to your own installation"
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
        raise SolverError(f"acados_template cannot be imported ({error}); install its Python requirements") from error
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
    json_file = folder / "ocp.json"
    if hasattr(ocp, "code_export_directory"):
        ocp.code_export_directory = str(folder)
    else:
        ocp.code_gen_opts.code_export_directory = str(folder)
    with _inside(folder), redirect_stdout(StringIO()) as output:
        try:
            template().AcadosOcpSolver.generate(ocp, json_file=str(json_file))
        except Exception as error:
            raise SolverError(f"acados could not generate the solver: {error} {output.getvalue()[-300:]}") from error


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """acados writes some files relative to the current folder: work in ``folder``, then return."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def has_new_setters() -> bool:
    """Whether this acados' C functions that set bounds and iterates take input and output both (from v0.4 on)."""
    header = find().root / "include" / "acados_c" / "ocp_nlp_interface.h"
    text = " ".join(header.read_text(encoding="utf-8").split())
    return "ocp_nlp_out_set(ocp_nlp_config *config, ocp_nlp_dims *dims, ocp_nlp_out *out, ocp_nlp_in *in" in text
