"""ROS parameters of a node into one immutable, checked object."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeVar

from pydantic.fields import FieldInfo
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.parameter_service import ParameterService

from ttdm_ros.config import Config, parse

T = TypeVar("T", bound=Config)

_OF_RCLPY = ("use_sim_time", "start_type_description_service")


def read_parameters(node: Node, kind: type[T], *, changeable: Collection[str] = ()) -> T:
    """Declare every field of ``kind`` as a parameter of ``node``, and return the values given for them.

    Descriptions and ranges are those of the fields. A field that is a configuration itself becomes a group of
    parameters, as ``controller.rate``. The parameters hold the checked values afterwards, and are read-only but for
    those ``changeable``. The node must have been made with ``automatically_declare_parameters_from_overrides=True``;
    only so can a misspelt parameter be told from one that is not there.

    Raises:
        ConfigError: a parameter is unknown, missing, or out of range; the message names it.
    """
    given = {
        name: _plain(parameter.value)
        for name, parameter in node.get_parameters_by_prefix("").items()
        if name not in _OF_RCLPY and not name.startswith("qos_overrides.")
    }
    values = parse(_grouped(given, kind), kind, f"parameters of {node.get_name()}")
    for name, value, field in _fields(values):
        descriptor = _descriptor(name, field.description or "", field.metadata, field.annotation)
        descriptor.read_only = name not in changeable
        if node.has_parameter(name):
            node.undeclare_parameter(name)
        node.declare_parameter(name, value, descriptor, ignore_override=True)
    return values


class ParameterServices:
    """The parameter services of a node that was made with ``start_parameter_services=False``.

    rclpy has them in the node's default callback group, with the subscription of ``/clock`` among others: there, a
    parameter that takes long to set would hold up time itself.
    """

    def __init__(self, node: Node, group: CallbackGroup) -> None:
        """Offer them in a callback group."""
        self._node, self._group = node, group
        self._services = ParameterService(self)  # type: ignore[arg-type]

    def create_service(self, *arguments: Any, **named: Any) -> Any:
        """Create a service of the node, in the group."""
        return self._node.create_service(*arguments, callback_group=self._group, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)


def _is_group(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Config)


def _grouped(given: dict[str, Any], kind: type[Config]) -> dict[str, Any]:
    """Return ``{"group.name": value}`` as ``{"group": {"name": value}}``, for the groups that ``kind`` has."""
    result: dict[str, Any] = {}
    for name, value in given.items():
        group, dot, rest = name.partition(".")
        if dot and group in kind.model_fields and _is_group(kind.model_fields[group].annotation):
            result.setdefault(group, {})[rest] = value
        else:
            result[name] = value
    return result


def _fields(values: Config, prefix: str = "") -> Iterator[tuple[str, Any, FieldInfo]]:
    """Yield name, value and definition of every parameter."""
    for name, field in type(values).model_fields.items():
        value = getattr(values, name)
        if _is_group(field.annotation):
            yield from _fields(value, f"{prefix}{name}.")
        else:
            yield prefix + name, _plain(value), field


def _plain(value: Any) -> Any:
    """Return arrays and tuples as lists, everything else as it is."""
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _descriptor(name: str, description: str, constraints: Sequence[Any], annotation: Any) -> ParameterDescriptor:
    lower = next((c.ge for c in constraints if hasattr(c, "ge")), None)
    upper = next((c.le for c in constraints if hasattr(c, "le")), None)
    descriptor = ParameterDescriptor(name=name, description=description, dynamic_typing=True)
    if lower is None or upper is None:
        return descriptor
    if annotation is int:
        descriptor.integer_range = [IntegerRange(from_value=lower, to_value=upper)]
    else:
        descriptor.floating_point_range = [FloatingPointRange(from_value=float(lower), to_value=float(upper))]
    return descriptor
