"""ROS parameters of a node into one immutable, checked object."""

from collections.abc import Sequence
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from ttdm_ros.config import Config, parse

T = TypeVar("T", bound=Config)

_OF_RCLPY = ("use_sim_time", "start_type_description_service")


def read_parameters(node: Node, kind: type[T]) -> T:
    """Declare every field of ``kind`` as a parameter of ``node``, and return the values given for them.

    Descriptions and ranges are those of the fields. The parameters are read-only and hold the checked values
    afterwards. The node must have been made with ``automatically_declare_parameters_from_overrides=True``; only so
    can a misspelt parameter be told from one that is not there.

    Raises:
        ConfigError: a parameter is unknown, missing, or out of range; the message names it.
    """
    given = {
        name: _plain(parameter.value)
        for name, parameter in node.get_parameters_by_prefix("").items()
        if name not in _OF_RCLPY and not name.startswith("qos_overrides.")
    }
    values = parse(given, kind, f"parameters of {node.get_name()}")
    for name, field in kind.model_fields.items():
        value = _plain(getattr(values, name))
        descriptor = _descriptor(name, field.description or "", field.metadata, field.annotation)
        if node.has_parameter(name):
            node.undeclare_parameter(name)
        node.declare_parameter(name, value, descriptor, ignore_override=True)
    return values


def _plain(value: Any) -> Any:
    """Return arrays and tuples as lists, everything else as it is."""
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _descriptor(name: str, description: str, constraints: Sequence[Any], annotation: Any) -> ParameterDescriptor:
    lower = next((c.ge for c in constraints if hasattr(c, "ge")), None)
    upper = next((c.le for c in constraints if hasattr(c, "le")), None)
    descriptor = ParameterDescriptor(name=name, description=description, read_only=True, dynamic_typing=True)
    if lower is None or upper is None:
        return descriptor
    if annotation is int:
        descriptor.integer_range = [IntegerRange(from_value=lower, to_value=upper)]
    else:
        descriptor.floating_point_range = [FloatingPointRange(from_value=float(lower), to_value=float(upper))]
    return descriptor
