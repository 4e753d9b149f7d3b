"""Parameters become a checked object; tools can see what they mean and which values they take."""

from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from pydantic import Field
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from ttdm_ros.config import Config
from ttdm_ros.errors import ConfigError
from ttdm_ros.nodes.parameters import read_parameters


class Grid(Config):
    """A group of parameters."""

    stages: int = Field(default=20, ge=2, le=200)
    """How many."""


class Wanted(Config):
    """Parameters of a node in these tests."""

    rate: int = Field(default=500, ge=10, le=1000)
    """How often [Hz]."""
    factor: float = Field(default=1.0, ge=0.1, le=2.0)
    """How fast."""
    robot: str = "panda"
    posture: tuple[float, ...] | None = None
    grid: Grid = Grid()


@pytest.fixture
def make_node(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Node]]:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    context = Context()
    context.init(args=[])
    nodes = []

    def make(*arguments: str) -> Node:
        given = [word for argument in arguments for word in ("-p", argument)]
        nodes.append(
            Node(
                "tested",
                context=context,
                cli_args=["--ros-args", *given] if given else None,
                automatically_declare_parameters_from_overrides=True,
            )
        )
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()
    context.try_shutdown()


def test_what_is_not_given_has_its_default(make_node: Callable[..., Node]) -> None:
    node = make_node()
    assert read_parameters(node, Wanted) == Wanted()
    assert node.get_parameter("rate").value == 500


def test_what_is_given_comes_as_the_type_it_should_be(make_node: Callable[..., Node]) -> None:
    node = make_node("factor:=2", "posture:=[1.0, 2.0]", "robot:=fr3")
    assert read_parameters(node, Wanted) == Wanted(factor=2.0, posture=(1.0, 2.0), robot="fr3")
    assert node.get_parameter("factor").value == 2.0


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("rat:=3", r"parameters of tested: key 'rat' is not known \(did you mean 'rate'\?\)"),
        ("rate:=5", r"'rate': input should be greater than or equal to 10 \(got 5\)"),
        ("rate:=fast", r"'rate': .* valid integer"),
        ("rate:=250.5", r"'rate': .* valid integer"),
        ("grid.stages:=1", r"'grid.stages': input should be greater than or equal to 2 \(got 1\)"),
        ("grid.stage:=9", r"key 'grid.stage' is not known \(did you mean 'stages'\?\)"),
        ("robot.name:=panda", r"key 'robot.name' is not known"),
    ],
)
def test_a_wrong_parameter_is_named(make_node: Callable[..., Node], argument: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_parameters(make_node(argument), Wanted)


def test_parameters_of_rclpy_itself_are_left_alone(make_node: Callable[..., Node]) -> None:
    node = make_node("use_sim_time:=true", "qos_overrides./x.publisher.depth:=3")
    assert read_parameters(node, Wanted) == Wanted()


def test_tools_see_meaning_and_range(make_node: Callable[..., Node]) -> None:
    node = make_node("rate:=100")
    read_parameters(node, Wanted)
    rate, factor = node.describe_parameter("rate"), node.describe_parameter("factor")
    assert rate.description == "How often [Hz]."
    assert (rate.integer_range[0].from_value, rate.integer_range[0].to_value) == (10, 1000)
    assert (factor.floating_point_range[0].from_value, factor.floating_point_range[0].to_value) == (0.1, 2.0)


def test_a_group_is_told_apart_by_its_prefix(make_node: Callable[..., Node]) -> None:
    node = make_node("grid.stages:=30")
    assert read_parameters(node, Wanted) == Wanted(grid=Grid(stages=30))
    assert node.get_parameter("grid.stages").value == 30
    assert node.describe_parameter("grid.stages").description == "How many."


def test_only_what_may_change_can_be_changed(make_node: Callable[..., Node]) -> None:
    node = make_node()
    read_parameters(node, Wanted, changeable=("robot",))
    assert node.set_parameters([Parameter("robot", value="fr3")])[0].successful
    assert node.get_parameter("robot").value == "fr3"
    assert not node.set_parameters([Parameter("grid.stages", value=3)])[0].successful


def test_a_change_while_running_is_refused(make_node: Callable[..., Node]) -> None:
    node = make_node("rate:=100")
    read_parameters(node, Wanted)
    assert not node.set_parameters([Parameter("rate", value=200)])[0].successful
    assert node.get_parameter("rate").value == 100
