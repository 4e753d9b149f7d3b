"""An arm without a robot: it does what a test tells it, and remembers what it was told."""

from typing import Any

import numpy as np
import pytest

from ttdm_ros.plants.franka.law import MEMORY, LawStatus
from ttdm_ros.plants.franka.link import CYCLE, LinkError, Look


class FakeLink:
    """See ``ArmLink``."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.blocks: list[np.ndarray] = []
        self.started: list[np.ndarray] = []
        self.memory = np.zeros(MEMORY)
        self.memory[0] = 1.0
        self.moving = False
        self.failure = self.notice = ""
        self.refusal = ""
        self.broken = ""
        self.errors: tuple[str, ...] = ()
        self.rows = np.zeros(0, CYCLE)

    @property
    def status(self) -> LawStatus:
        return LawStatus.of(self.memory)

    def connect(self) -> None:
        self.calls.append("connect")

    def start(self, block: np.ndarray) -> None:
        self.calls.append("start")
        if self.refusal:
            raise LinkError(self.refusal)
        self.started.append(block)
        self.moving, self.failure = True, ""

    def command(self, block: np.ndarray) -> None:
        self.blocks.append(block)

    def cycles(self) -> np.ndarray:
        rows, self.rows = self.rows, np.zeros(0, CYCLE)
        return rows

    def look(self) -> Look:
        self.calls.append("look")
        if self.broken:
            raise LinkError(self.broken)
        row = np.zeros(1, CYCLE)
        row["mode"] = 4 if self.errors else 1
        return Look(cycle=row, errors=self.errors)

    def stop(self) -> None:
        self.calls.append("stop")
        self.moving = False

    def recover(self) -> None:
        self.calls.append("recover")
        if self.broken:
            raise LinkError(self.broken)
        self.errors = ()

    def close(self) -> None:
        self.calls.append("close")
        self.moving = False

    # What a test does to it

    def tick(self, **memory: Any) -> None:
        """Let a cycle pass, after which the law's memory holds these values; it sees whether it is asked to hold."""
        self.memory[7] = self.blocks[-1][1] if self.blocks else 0.0
        for name, value in memory.items():
            self.memory[{"phase": 0, "locked": 3, "refused": 4, "cause": 5}[name]] = value
        self.rows = np.zeros(1, CYCLE)
        self.rows["mode"] = 2

    def abort(self, failure: str, *errors: str) -> None:
        """End the motion as a reflex does."""
        self.moving, self.failure, self.errors = False, failure, errors


@pytest.fixture
def link() -> FakeLink:
    return FakeLink()
