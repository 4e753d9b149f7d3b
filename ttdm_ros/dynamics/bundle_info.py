"""What a model bundle is, in words."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttdm_ros.config import load
from ttdm_ros.dynamics.bundle import DESCRIPTION, Description, find_model, load_model

if TYPE_CHECKING:
    from rich.console import RenderableType

_STRUCTURES = {
    "nominal": "the nominal arm alone",
    "residual": "the nominal arm and a network",
    "full": "a network alone",
}


def describe(name_or_path: str | Path) -> "RenderableType":
    """Return a table of a bundle for the terminal (a rich renderable); weights and fingerprint are checked.

    Raises:
        BundleError: no such bundle, or one that is incomplete, damaged, of wrong shape or not finite.
        ConfigError: ``model.yaml`` is malformed.
    """
    from rich.table import Table

    folder = find_model(name_or_path)
    model, description = load_model(folder), load(folder / DESCRIPTION, Description)
    specification = description.specification
    table = Table(title=f"{folder}\nmodel bundle, format {description.format}", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row("fingerprint", description.fingerprint)
    table.add_row("robot", description.robot or "any")
    table.add_row("structure", f"{specification.structure}: {_STRUCTURES[specification.structure]}")
    if specification.layer_sizes:
        count = sum(layer.weight.size + layer.bias.size for layer in model.layers)
        table.add_row("network", f"{'-'.join(map(str, specification.layer_sizes))} tanh, {count} numbers")
        table.add_row("inputs", ", ".join(specification.inputs))
    for title, content in (("provenance", description.provenance), ("metrics", description.metrics)):
        if content:
            table.add_section()
            for i, (key, text) in enumerate(_lines(content)):
                table.add_row(f"{title}: {key}" if i == 0 else f"{'':>{len(title)}}  {key}", text)
    return table


def _lines(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        yield key.replace("_", " "), _text(value)


def _text(value: Any) -> str:
    match value:
        case dict():
            return ", ".join(f"{key} {_text(item)}" for key, item in value.items()) or "none"
        case list():
            return "; ".join(_text(item) for item in value) or "none"
        case float():
            return f"{value:.4g}"
        case _:
            return str(value)
