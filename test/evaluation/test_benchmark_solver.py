"""The benchmark of the solver returns every figure it promises, of either solver."""

import math

import pytest

from ttdm_ros.evaluation.benchmark_solver import run


@pytest.fixture(scope="module")
def measured():
    told = []
    return run(calls=60, progress=told.append), told


def test_every_part_of_a_call_is_within_the_whole(measured):
    for kind in ("nominal", "network"):
        part = measured[0][kind]
        for share in ("p5", "p50", "p99"):
            assert 0.0 < part["acados_us"][share] < part["compiled_us"][share] < part["total_us"][share]
            assert 0.0 < part["gain_us"][share] < part["compiled_us"][share]
        assert part["acados_us"]["p5"] <= part["acados_us"]["p50"] <= part["acados_us"]["p99"]
        assert 0.0 < part["python_share"] < 1.0
        assert 0.0 < part["gain_share"] < 1.0


def test_the_figures_say_what_was_measured_and_whether_the_targets_are_met(measured):
    figures, told = measured
    assert (figures["robot"], figures["calls"]) == ("panda", 60)
    assert figures["ratio_p5"] == pytest.approx(
        figures["network"]["total_us"]["p5"] / figures["nominal"]["total_us"]["p5"]
    )
    assert set(figures["targets"]) == {"ratio_p5", "network_p50", "python_share"}
    assert figures["swap_us"] > 0.0
    assert figures["process_mb"] > 10.0
    assert math.isfinite(figures["solver_mb"])
    assert told == sorted(told)
