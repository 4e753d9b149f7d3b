"""What a folder of sensitivities holds, in words."""

from pathlib import Path
from typing import TYPE_CHECKING

from ttdm_ros.training.sensitivity_file import summary
from ttdm_ros.training.sensitivity_manifest import read_entries, read_manifest

if TYPE_CHECKING:
    from rich.console import RenderableType


def describe(folder: Path) -> "RenderableType":
    """Return a table of the folder for the terminal (a rich renderable).

    Raises:
        SensitivityError: there are no sensitivities, or a file is damaged.
        ConfigError: the manifest is malformed.
    """
    from rich.table import Table

    manifest, bags, content = read_manifest(folder), read_entries(folder), summary(folder)
    table = Table(
        title=f"{folder}\nsensitivities, {content['bytes'] / 1e6:.1f} MB", title_justify="left", show_header=False
    )
    table.add_column()
    table.add_column(overflow="fold")
    expected = sum(bag.samples for bag in bags)
    unfinished = "" if content["samples"] == expected else f" of {expected}; give the same export again to finish it"
    table.add_row("samples", f"{content['samples']}{unfinished}")
    table.add_row("solved", f"{content['solved']}")
    for reason, count in content["reasons"].items():
        table.add_row(f"left out: {reason.replace('_', ' ')}", f"{count}")
    table.add_section()
    table.add_row("robot", f"{manifest.robot} ({manifest.arm})")
    table.add_row("model", f"{manifest.model} ({manifest.model_fingerprint})")
    table.add_row("Hessian", manifest.hessian.replace("_", " "))
    table.add_row("differentiated by", "acados" if manifest.method == "acados" else "this package")
    table.add_row("rollouts", f"{manifest.p} steps")
    sampling = manifest.sampling
    table.add_row(
        "sampling",
        f"step of the model {sampling.dt:g} s, a rollout every {sampling.step * sampling.spacing:g} s, "
        f"delay of commands {sampling.delay:g} s, of torque by the robot's stamps {sampling.robot_delay:g} s",
    )
    table.add_row("problem", ", ".join(f"{key.replace('_', ' ')} {value:g}" for key, value in manifest.mpc))
    for bag in bags:
        table.add_row("bag", f"{bag.name} ({bag.fingerprint}), {bag.samples} samples")
    table.add_row("made by", f"ttdm_ros {manifest.version}")
    return table
