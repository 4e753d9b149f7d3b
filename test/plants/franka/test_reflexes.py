"""Error names of libfranka become sentences that tell what to do."""

import ast

import pytest

from ttdm_ros.errors import PlantError
from ttdm_ros.plants.franka.environment import driver_python
from ttdm_ros.plants.franka.reflexes import REFLEXES, error_names, explain

ABORTED = "libfranka: Move command aborted: motion aborted by reflex! "


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (ABORTED + '["communication_constraints_violation"]', ("communication_constraints_violation",)),
        (
            ABORTED + '["joint_reflex", "cartesian_reflex"] control_command_success_rate: 0.98',
            ("joint_reflex", "cartesian_reflex"),
        ),
        ("[joint_velocity_violation, joint_velocity_violation]", ("joint_velocity_violation",)),
        ("[]", ()),
    ],
)
def test_names_are_found_in_what_libfranka_says(text: str, names: tuple[str, ...]) -> None:
    assert error_names(text) == names


def test_a_reflex_is_explained_with_its_name_and_what_to_do() -> None:
    told = explain(ABORTED + '["controller_torque_discontinuity"] control_command_success_rate: 1')
    assert told.startswith("controller_torque_discontinuity: torque changed by more than 1 N·m")
    assert "check the network" in told
    assert "aborted" not in told


def test_two_reflexes_at_once_are_both_explained() -> None:
    told = explain('["joint_reflex", "cartesian_reflex"]')
    assert "collision.upper_torque" in told
    assert "collision.upper_force" in told


@pytest.mark.parametrize(
    "text", ["libfranka: UDP receive: Timeout", "libfranka: TCP connection got interrupted.", "Network is unreachable"]
)
def test_a_lost_connection_is_told_as_such(text: str) -> None:
    assert explain(text) == f"the connection to the robot is lost ({text}); check cable and robot"


def test_what_is_not_known_is_passed_on_and_silence_is_no_answer() -> None:
    assert explain("something new") == "something new"
    assert "Desk" in explain("")


def test_the_table_has_every_error_that_libfranka_knows() -> None:
    try:
        python = driver_python()
    except PlantError as error:
        pytest.skip(str(error))
    (stub,) = python.parents[1].glob("lib/python*/site-packages/pylibfranka/_pylibfranka.pyi")
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    (errors,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Errors")
    names = {node.name for node in errors.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("__")}
    assert set(REFLEXES) == names


def test_every_sentence_says_what_to_do() -> None:
    for name, sentence in REFLEXES.items():
        assert ";" in sentence, name
        assert not sentence.endswith("."), name
