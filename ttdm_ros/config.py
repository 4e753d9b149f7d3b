"""Strict configuration: YAML files into immutable objects, with errors that name file, key and allowed values."""

import difflib
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ttdm_ros.errors import ConfigError
from ttdm_ros.yaml_text import read_yaml

T = TypeVar("T")


class Config(BaseModel):
    """Base of every configuration object: immutable, no unknown keys, finite numbers only."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


def load(path: Path, kind: type[T]) -> T:
    """Read a YAML file into a configuration object.

    Raises:
        ConfigError: unreadable file, malformed YAML, or a key or value that is not allowed.
    """
    try:
        data = read_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not a text file in UTF-8; give a YAML file") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "cannot be parsed"
        raise ConfigError(f"{path}{where}: is not valid YAML ({problem}); correct that line") from error
    return parse(data, kind, str(path))


def parse(data: Any, kind: type[T], source: str) -> T:
    """Check plain data (of a YAML file or of parameters) and build the object; ``source`` is named in errors."""
    if data is None:
        raise ConfigError(f"{source}: is empty; see the files in config/ for examples")
    try:
        return TypeAdapter(kind).validate_python(data)
    except ValidationError as error:
        raise ConfigError(f"{source}: " + "; ".join(_sentence(e, kind) for e in error.errors())) from error


def _sentence(error: Any, kind: Any) -> str:
    key = ".".join(str(part) for part in error["loc"]) or "the file"
    match error["type"]:
        case "missing":
            return f"key '{key}' is missing"
        case "extra_forbidden":
            known = _known_keys(kind)
            close = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"allowed: {', '.join(known)}"
            return f"key '{key}' is not known ({hint})"
        case "value_error":
            return f"'{key}': {error['ctx']['error']}"
        case _:
            message = error["msg"][0].lower() + error["msg"][1:]
            return f"'{key}': {message} (got {error['input']!r:.80})"


def _known_keys(kind: Any) -> list[str]:
    """All keys of a configuration class and of the ones nested in it, for hints."""
    keys: list[str] = []
    pending, seen = [kind], set()
    while pending:
        item = pending.pop()
        if isinstance(item, type) and issubclass(item, BaseModel) and item not in seen:
            seen.add(item)
            keys.extend(item.model_fields)
            pending.extend(f.annotation for f in item.model_fields.values())
        else:
            pending.extend(getattr(item, "__args__", ()))
    return sorted(set(keys))
