"""docs/own_robot_and_tasks.md names every key that the files of a robot, a task or a plant may have."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from ttdm_ros.mpc.tasks import config as tasks
from ttdm_ros.plants import config as plants
from ttdm_ros.systems import parameters as robots

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own_robot_and_tasks.md"
ON_PAGE = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`\n]+)`", PAGE.read_text(encoding="utf-8")))))


@pytest.mark.parametrize("module", [tasks, plants, robots])
def test_every_key_is_named(module) -> None:
    kinds = [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, BaseModel)]
    assert len(kinds) > 5
    assert {key for kind in kinds for key in kind.model_fields} - ON_PAGE == set()


def test_every_type_of_task_is_named() -> None:
    assert set(tasks.TASK_TYPES) <= ON_PAGE
