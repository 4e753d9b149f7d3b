"""What is left of a benchmark that failed."""

import pytest

from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation.benchmark_franka import kept_if_it_fails


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
