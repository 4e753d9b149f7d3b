"""What can be asked of the nodes that drive an arm, by whoever is not one of them."""

from collections.abc import Mapping
from typing import Any

from rcl_interfaces.srv import SetParameters
from rclpy.client import Client
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

CONTROLLER, DRIVER = "mpc_controller", "franka_driver"


def trigger_client(node: Node, asked: str, name: str) -> Client[Any, Any]:
    """Return a client of a service of another node that is asked without arguments, as ``drive_again``."""
    return node.create_client(Trigger, f"{asked}/{name}")


def parameters_client(node: Node) -> Client[Any, Any]:
    """Return a client that sets parameters of the controller, see ``parameters``."""
    return node.create_client(SetParameters, f"{CONTROLLER}/set_parameters")


def parameters(values: Mapping[str, Any]) -> Any:
    """Return the request that sets parameters to values.

    Raises:
        TypeError, ValueError: a value is none that a parameter can have.
    """
    for value in values.values():
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ValueError(f"{value} is beyond the whole numbers of 64 bits")
    return SetParameters.Request(parameters=[Parameter(k, value=v).to_parameter_msg() for k, v in values.items()])


def outcome(response: Any) -> tuple[bool, str]:
    """Return whether what was asked was done, and the answer in words; of a trigger, or of setting parameters."""
    if isinstance(response, Trigger.Response):
        return bool(response.success), str(response.message)
    reasons = "; ".join(result.reason for result in response.results if not result.successful)
    return all(result.successful for result in response.results), reasons or "set"
