"""The benchmarks of learning, small: what they measure is there and finite; how long it took is nobody's promise."""

import math

import pytest

from ttdm_ros.evaluation import benchmark_sensitivities, benchmark_training
from ttdm_ros.training.weightings import weightings


def test_the_benchmark_of_sensitivities_compares_like_with_like(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark_sensitivities, "PLAIN_SAMPLES", 3)
    done: list[float] = []
    figures = benchmark_sensitivities.run(samples=30, progress=done.append)
    assert set(figures["processes"]) == {"1", "2"}
    for row in figures["processes"].values():
        assert row["solved"] == 1.0
        assert row["memory_mb"] > 10.0
    assert figures["compared"] > 0
    assert figures["largest_difference"] < 1e-8
    assert set(figures["targets"]) == {"rate", "ratio", "memory"}
    assert done[-1] == pytest.approx(1.0)
    assert done == sorted(done)


def test_the_benchmark_of_training_knows_every_weighting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark_training, "ROUNDS", 1)
    monkeypatch.setattr(benchmark_training, "SAMPLES", 200)
    figures = benchmark_training.run(steps=2)
    assert set(figures["step_ms"]) == set(weightings())
    assert figures["relative"]["mse"] == 1.0
    assert set(figures["share"]) == set(benchmark_training.SIDE_BY_SIDE)
    assert all(math.isfinite(value) for value in figures["together_ms"].values())
    assert set(figures["targets"]) == {"sensitivity", "together"}
