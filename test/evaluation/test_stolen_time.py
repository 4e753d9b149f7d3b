"""Stolen time against a kernel's file that is written here."""

import pytest

from ttdm_ros.evaluation.stolen_time import processor_ticks, stolen_share


def test_the_share_is_what_was_stolen_of_all_that_was_spent_meanwhile(tmp_path):
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 10 20 500 5 1 2 40 7 3\ncpu0 1 2 3 4 5 6 7 8 9 10\n")
    before = processor_ticks(stat)
    # guest time (the last two) is part of user time already
    stat.write_text("cpu  160 10 20 510 5 1 2 70 67 3\n")
    assert stolen_share(before, processor_ticks(stat)) == pytest.approx(30 / 100)
    assert stolen_share(before, before) is None
    assert stolen_share(None, before) is None


@pytest.mark.parametrize("text", ["", "intr 1 2 3 4 5 6 7 8\n", "cpu 1 2 3\n", "cpu  1 2 3 4 5 6 7 many\n"])
def test_a_kernel_that_does_not_tell_is_no_error(tmp_path, text):
    (tmp_path / "stat").write_text(text)
    assert processor_ticks(tmp_path / "stat") is None
    assert processor_ticks(tmp_path / "none") is None
