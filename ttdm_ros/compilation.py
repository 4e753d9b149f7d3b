"""C code made for one robot or model: compiled once on a machine, kept in the user's cache, loaded from there."""

import ctypes
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ttdm_ros.errors import SolverError
from ttdm_ros.paths import cache_folder

# -ffast-math while linking would make the processor flush denormals in the whole process, so it is never used there.
FLAGS = (
    "-std=gnu11",
    "-fPIC",
    "-O3",
    "-march=native",
    "-fno-math-errno",
    "-fassociative-math",
    "-fno-signed-zeros",
    "-fno-trapping-math",
)
# Makes tanh of four numbers at once one instruction sequence of glibc's vector library; NaN must stay NaN.
VECTOR_FLAGS = ("-ffast-math", "-fno-finite-math-only")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What is to be compiled, in a folder of its own."""

    files: Sequence[Path]
    vectorised: Sequence[str] = ()
    """Names of files in which mathematical functions may be vectorised."""
    alone: Sequence[str] = ()
    """Names of files that need no other one, nor ``flags``: what is compiled of them is kept for other libraries."""
    flags: Sequence[str] = ()
    """Further flags of the compiler: include folders, definitions."""
    libraries: Sequence[str] = ()
    """Further flags of the linker."""


def cached_library(
    kind: str,
    parts: Sequence[str],
    make: Callable[[Path], Sources],
    *,
    announce: Callable[[], None] = lambda: None,
) -> ctypes.CDLL:
    """Return the shared library of a hash, compiled now if that was never done on this machine.

    Args:
        kind: name of the folder in the cache.
        parts: everything the code depends on, except compiler and processor.
        make: writes the sources into an empty folder.
        announce: called before compiling starts.

    Raises:
        SolverError: there is no compiler, compiling failed, or the library cannot be loaded.
    """
    name = _name([*parts, *VECTOR_FLAGS])
    library = cache_folder() / kind / name / f"libttdm_{kind}.so"
    with locked(library.parent):
        if not library.is_file():
            announce()
            _build(library, make)
    try:
        return ctypes.CDLL(str(library))
    except OSError as error:
        raise SolverError(f"{library} cannot be loaded ({error}); remove its folder") from error


def _build(library: Path, make: Callable[[Path], Sources]) -> None:
    """Compile next to the final place, then move the result there in one step."""
    for left_over in library.parent.parent.glob(f"{library.parent.name}.*/"):  # of a build that was killed
        shutil.rmtree(left_over, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f"{library.parent.name}.", dir=library.parent.parent))
    try:
        _compile(work, make(work), library.name)
        library.parent.mkdir(exist_ok=True)
        (work / library.name).replace(library)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _compile(work: Path, sources: Sources, name: str) -> None:
    compiler = _compiler()

    def compile_one(source: Path) -> Path:
        extra = VECTOR_FLAGS if source.name in sources.vectorised else ()
        if source.name in sources.alone:
            return _kept_object(source, extra)
        target = source.with_suffix(".o")
        _run([compiler, *FLAGS, *extra, *sources.flags, "-c", str(source), "-o", str(target)], work)
        return target

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        largest_first = sorted(sources.files, key=lambda path: -path.stat().st_size)
        objects = list(pool.map(compile_one, largest_first))
    vector = ["-Wl,--as-needed", "-lmvec"] if platform.machine() == "x86_64" else []
    _run([compiler, "-shared", "-o", name, *map(str, objects), *sources.libraries, "-lm", *vector], work)


def _kept_object(source: Path, flags: Sequence[str]) -> Path:
    """Compile a file that needs no other one, if that was never done on this machine, and return the object file."""
    kept = cache_folder() / "objects" / f"{_name([source.read_text(encoding='utf-8'), *flags])}.o"
    with locked(kept):
        if not kept.is_file():
            target = source.with_suffix(".o")
            _run([_compiler(), *FLAGS, *flags, "-c", str(source), "-o", str(target)], source.parent)
            target.replace(kept)
    return kept


def _name(parts: Sequence[str]) -> str:
    """Return the hash of all that compiled code depends on."""
    everything = "\0".join([*parts, *FLAGS, _compiler_version(), _processor()])
    return hashlib.sha256(everything.encode()).hexdigest()[:20]


def _run(command: list[str], folder: Path) -> None:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        tail = " ".join(result.stderr.split())[-400:]
        raise SolverError(f"compiling failed: {tail}; check the compiler and the headers it was given")


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
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time make what is in ``folder``; the others wait for it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
