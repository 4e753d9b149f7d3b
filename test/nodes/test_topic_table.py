"""The page on control names every topic of the controller, every column and every phase."""

import re
from pathlib import Path

import pytest

from ttdm_ros import topics
from ttdm_ros.control.phase import Phase

PAGE = (Path(__file__).parents[2] / "docs" / "control.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("## Topics and services")[2].partition("\n## ")[0]


@pytest.mark.parametrize(
    "topic",
    [
        *(value for value in vars(topics).values() if isinstance(value, str) and value.startswith("mpc_controller/")),
        topics.JOINT_STATES,
        topics.COMMANDS,
        topics.DIAGNOSTICS,
    ],
)
def test_every_topic_has_a_row(topic: str) -> None:
    assert f"\n| `{topic}` |" in TABLE


def test_the_columns_of_the_timing_are_told_in_their_order() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", TABLE.partition("The columns of")[2], re.MULTILINE)
    assert tuple(rows) == topics.TIMING_COLUMNS


def test_the_numbers_of_the_phases_are_told() -> None:
    (row,) = re.findall(r"^\| `phase` \| (.*) \|$", TABLE, re.MULTILINE)
    assert row == ", ".join(f"{phase.value} {phase.name.lower()}" for phase in Phase)


def test_the_layouts_that_are_named_are_there() -> None:
    named = set(re.findall(r"`(config/\w+/\w+\.\w+)`", TABLE))
    assert len(named) == 3
    assert all((Path(__file__).parents[2] / name).is_file() for name in named)
