"""What a benchmark counts, and what is left of one that failed."""

from pathlib import Path

import numpy as np
import pytest

from ttdm_ros import topics
from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation.benchmark_franka import _loop_figures, kept_if_it_fails
from ttdm_ros.plants.franka.law import STOP_CAUSES, LawPhase, StopCause
from ttdm_ros.recording.series import Table, Texts
from ttdm_ros.recording.stream import Recording


def recording(events):
    """Ten cycles that followed a controller, and what the driver told, by the time at which it did [ns]."""
    columns = {"robot_time": np.arange(10) * 1e-3, "law_phase": np.full(10, float(LawPhase.FOLLOWING))}
    values = np.stack([columns.get(name, np.ones(10)) for name in topics.FRANKA_LOOP_COLUMNS], axis=1)
    told = np.array(list(events.values()), dtype=np.int64)
    return Recording(
        path=Path("bag"),
        franka_loop=Table(
            topic=topics.FRANKA_LOOP,
            sequence=np.zeros(0),
            log_time_ns=np.arange(10),
            publish_time_ns=np.arange(10),
            values=values,
        ),
        franka_events=Texts(
            topic=topics.FRANKA_EVENTS, sequence=np.zeros(0), log_time_ns=told, publish_time_ns=told, text=tuple(events)
        ),
        recorder={},
    )


@pytest.mark.parametrize(("guard", "ends", "stops"), [(700, None, 1), (700, 950, 1), (None, 950, 0), (None, None, 0)])
def test_every_stop_by_the_guard_before_the_end_counts(guard, ends, stops):
    silence, asked = STOP_CAUSES[StopCause.SILENCE], STOP_CAUSES[StopCause.ASKED]
    events = {"following commands": 100, f"while driving: {silence}": guard, f"as it ends: {silence}": ends, asked: 990}
    told = {text: at for text, at in events.items() if at is not None}
    figures = _loop_figures(recording(told), 900)
    assert len(figures["stops"]) == stops
    assert all("while driving" in text for text in figures["stops"])
    assert figures["cycles"] == 10


def test_bag_and_logs_are_kept_and_told_of_only_if_it_fails(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with kept_if_it_fails(None) as home:
        (home / "franka_driver.log").write_text("all is well")
    assert not home.exists()
    with (
        pytest.raises(TtdmError, match=r"no joint state came \(bag and logs are in ") as caught,
        kept_if_it_fails(None) as home,
    ):
        (home / "franka_driver.log").write_text("a reflex")
        raise TtdmError("no joint state came")
    assert str(home) in str(caught.value)
    assert (home / "franka_driver.log").read_text() == "a reflex"
    with pytest.raises(KeyboardInterrupt), kept_if_it_fails(None) as home:
        raise KeyboardInterrupt
    assert not home.exists()
    with kept_if_it_fails(tmp_path / "mine") as home:
        pass
    assert home.exists()
