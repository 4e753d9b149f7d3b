"""The prediction model as C: CasADi's code of the nominal arm, and a network whose weights are run-time data."""

import os
import shutil
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

import casadi as ca

from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.systems import ldl, recursions
from ttdm_ros.systems import rigid_body as rigid_body_module
from ttdm_ros.systems.arm import Arm
from ttdm_ros.systems.rigid_body import rigid_body

SOURCES = Path(__file__).parent / "csrc"
VECTORISED = ("model.c",)
ALONE = ("arm.c",)  # the same for every network, and most of what there is to compile


def key_parts(arm: Arm, specification: ModelSpecification) -> list[str]:
    """Return what the model's code depends on, for the hash of a compiled library."""
    modules = [Path(module.__file__ or "") for module in (ldl, recursions, rigid_body_module)]
    return [
        arm.fingerprint,
        specification.structure,
        str(specification.packed_sizes),
        ca.CasadiMeta.version(),
        *texts([SOURCES, *modules, Path(__file__)]),
    ]


def texts(paths: Iterable[Path]) -> list[str]:
    """Return the content of files, and of all files in folders."""
    files = [f for p in paths for f in ([p] if p.is_file() else sorted(x for x in p.iterdir() if x.is_file()))]
    return [file.read_text(encoding="utf-8") for file in files]


def write_model(
    folder: Path,
    arm: Arm,
    specification: ModelSpecification,
    *,
    functions: Mapping[str, ca.Function] | None = None,
    constants: Mapping[str, int] | None = None,
) -> list[Path]:
    """Write the model's C files into a folder and return those to compile.

    Args:
        folder: where to.
        arm: whose nominal dynamics it has.
        specification: of the networks it can take.
        functions: further CasADi functions to write beside it, by the name they get.
        constants: further definitions for ``sizes.h``.
    """
    for name in ("model.c", "model.h"):
        shutil.copy(SOURCES / name, folder)
    body = rigid_body(arm)
    everything = {
        "ttdm_forward_dynamics": body.forward_dynamics,
        "ttdm_forward_dynamics_derivatives": body.forward_dynamics_derivatives,
        **(functions or {}),
    }
    work = write_functions(folder / "arm.c", everything)
    defined = {**(constants or {}), "TTDM_CASADI_WORK": work}
    lines = [f"#define TTDM_STRUCTURE_{specification.structure.upper()}"]
    lines += [f"#define {name} {value}" for name, value in defined.items()]
    (folder / "sizes.h").write_text("\n".join([*lines, ""]), encoding="utf-8")
    if specification.packed_sizes:
        (folder / "network.h").write_text(network_source(specification.packed_sizes), encoding="utf-8")
    return [folder / "arm.c", folder / "model.c"]


def write_functions(path: Path, functions: Mapping[str, ca.Function]) -> int:
    """Write CasADi functions as C and return the size of the work vector they need."""
    generator = ca.CodeGenerator(path.name, {"casadi_int": "long long"})
    for name, function in functions.items():
        arguments = function.sx_in()
        generator.add(ca.Function(name, arguments, function.call(arguments)))
    generator.generate(f"{path.parent}{os.sep}")
    return max(int(function.sz_w()) for function in functions.values())


def network_source(sizes: tuple[int, ...]) -> str:
    """Return the C function that evaluates a network of these layer sizes, with every size a constant."""
    pairs = list(pairwise(sizes))
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
