"""Ask the nodes that drive an arm for their status, or for something to do; needs no `ros2` command.

The controller (mpc_controller) is asked by:
  status         one line: phase, task, model, fault; with a Franka arm also how its driver does
  activate       begin, or begin again after a fault; it is configured first if need be
  deactivate     bring the arm to rest along its path
  drive_again    drive the task once more, once it is done
  set NAME VALUE set a parameter, `model` or `controller.exploration`, to a value in YAML

The driver of a Franka arm (franka_driver) is asked by:
  stop           brake the arm and hold it until `recover`, whoever commands it
  recover        clear the robot's errors, or end a stop; then activate the controller again

ROS_DOMAIN_ID and the other variables of ROS count as they do for the nodes. The exit code is 0 with the answer in
words, and 1 if it is a refusal or nobody answers.

Examples:
  ttdm ask status
  ttdm ask set model models/panda_payload
  ttdm ask stop --timeout 2
  ttdm ask activate --namespace left
"""

import argparse
from typing import Any

from ttdm_ros.commands.arguments import positive_float
from ttdm_ros.ros_packages import without

_QUESTIONS = ("status", "activate", "deactivate", "drive_again", "recover", "stop")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--namespace", default="", help="namespace of the nodes (default: none)")
    shared.add_argument(
        "--timeout",
        type=positive_float,
        default=5.0,
        metavar="SECONDS",
        help="how long a node may take to be found (default: 5)",
    )
    questions = parser.add_subparsers(dest="question", metavar="QUESTION", required=True)
    for name in _QUESTIONS:
        questions.add_parser(name, parents=[shared])
    change = questions.add_parser("set", parents=[shared])
    change.add_argument("name", metavar="NAME", help="of a parameter of the controller")
    change.add_argument("value", type=_value, metavar="VALUE", help="in YAML: a text, a number, true or false")


def run(given: argparse.Namespace) -> int:
    """Run the command."""
    try:
        from ttdm_ros.nodes.ask import ask
    except ImportError as error:
        raise without(error, "asking") from error
    words = (given.name, given.value) if given.question == "set" else ()
    print(ask(given.question, *words, namespace=given.namespace, patience=given.timeout))
    return 0


def _value(text: str) -> Any:
    """Read a value of a parameter."""
    import yaml

    from ttdm_ros.yaml_text import read_yaml

    try:
        value = read_yaml(text)
    except yaml.YAMLError:
        value = None
    if not isinstance(value, str | int | float):
        raise argparse.ArgumentTypeError(f"'{text}' is not a text, a number, true or false in YAML")
    return value
