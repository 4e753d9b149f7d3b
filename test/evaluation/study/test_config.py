"""Studies: those that ship, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ttdm_ros.errors import ConfigError
from ttdm_ros.evaluation.study.config import StudyConfig, load_study
from ttdm_ros.evaluation.study.plan import cells, rounds


@pytest.mark.parametrize("name", ["arm", "quick"])
def test_the_studies_that_ship_name_every_piece_once(name: str) -> None:
    study = load_study(name)
    names = [cell.name for cell in cells(study)] + [each.name for stage in rounds(study) for each in stage]
    assert len(set(names)) == len(names)
    further = len(study.seeds[: study.further_seeds])
    for experiment, number in (("variants", len(study.variants)), ("data", len(study.drives))):
        assert sum(cell.experiment == experiment for cell in cells(study)) == further * number > 0


def test_the_study_of_the_paper_has_what_its_claims_need() -> None:
    study = load_study("arm")
    assert len(study.seeds) >= 5
    assert set(study.p) >= {1, 4}
    assert study.p_compared == 4
    assert {"mse", "variance", "sensitivity", "sensitivity_mean"} <= set(study.weightings)
    stated = [cell for cell in cells(study) if cell.experiment == "main" and cell.round == study.rounds - 1]
    assert {cell.seed for cell in stated} == set(study.seeds)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"weightings": ["mse", "sensitivty"]}, "there is no weighting 'sensitivty'; known: mse, "),
        ({"weightings": ["sensitivity"]}, "weightings must hold mse"),
        ({"seeds": [1, 1]}, "seeds must name each value once"),
        ({"peers": ["sensitivity"]}, "weightings and peers must name each value once"),
        ({"drives": [1]}, r"drives must be fewer than recording.drives \(1\), not \(1,\)"),
        ({"further_seeds": 0}, "greater than or equal to 1"),
        ({"p_compared": 4}, "p_compared must be one of p"),
        ({"p": [9], "p_compared": 9}, "less than or equal to 8"),
        ({"references": {"random": 0}}, "there must be a reference"),
        ({"sampling": {"dt": 0.04}}, "must be mpc.dt"),
        ({"wieghtings": ["mse"]}, "wieghtings"),
        ({"seeds": [0, 1000]}, "less than 1000"),
        ({"seeds": [-1]}, "greater than or equal to 0"),
        ({"rounds": 251, "recording": {"drives": 4}}, r"rounds x recording.drives must be at most 1000, not 251 x 4"),
        ({"capacities": [[4], [2]]}, r"capacities must not hold \[2\], which is specification.hidden"),
        ({"other_plants": ["payload_friction"]}, "plant and other_plants must name each value once"),
        ({"variants": [{"name": "a", "training": {"flor": 0.0}}]}, r"training of 'a': key 'flor' .*mean 'floor'"),
        ({"variants": [{"name": "a", "training": {"floor": 2.0}}]}, r"training of 'a': 'floor': .* equal to 1"),
        ({"variants": [{"name": "a", "training": {"validation_share": 0.3}}]}, "must not set validation_share: all"),
        ({"variants": [{"name": "a b"}, {"name": "a-b"}]}, "variants must have names of their own"),
        ({"variants": [{"name": "a"}, {"name": "b", "against": "c"}]}, "'b' must be against another .*; known: a, b"),
        ({"variants": [{"name": "a"}, {"name": "b", "against": "b"}]}, "'b' must be against another variant, not 'b'"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    make_study: Callable[..., StudyConfig], changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        make_study(**changes)


def test_the_most_seeds_and_drives_that_paths_are_numbered_for_are_taken(
    make_study: Callable[..., StudyConfig],
) -> None:
    assert make_study(seeds=[0, 999], rounds=250, recording={"drives": 4}).seeds == (0, 999)


def test_a_study_that_is_not_there_is_named_beside_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"arm.*quick"):
        load_study("arms")
    path = tmp_path / "mine.yaml"
    path.write_text("weightings: [mse]\nspecification: {hidden: [8]\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml"):
        load_study(path)
