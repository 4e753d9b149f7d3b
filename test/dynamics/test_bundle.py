"""Bundles: what is saved comes back, and whatever was damaged is refused in a sentence."""

import dataclasses
import pickle
import resource
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file, save_file

from ttdm_ros.dynamics.bundle import find_model, load_model, save_model
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.errors import BundleError, ConfigError


@pytest.fixture
def bundle(small, tmp_path):
    """A good bundle, to be damaged."""
    save_model(small, tmp_path / "good")
    return tmp_path / "good"


def change_tensors(bundle, **changes):
    tensors = load_file(bundle / "weights.safetensors") | changes
    save_file({name: value for name, value in tensors.items() if value is not None}, bundle / "weights.safetensors")


def change_description(bundle, **changes):
    path = bundle / "model.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))


def test_a_saved_model_comes_back_to_the_last_bit(model, tmp_path):
    save_model(model, tmp_path / "mine")
    loaded = load_model(tmp_path / "mine")
    assert (loaded.specification, loaded.name) == (model.specification, "mine")
    for name in ("input_mean", "input_std", "output_mean", "output_std"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(model, name))
    for there, here in zip(loaded.layers, model.layers, strict=True):
        np.testing.assert_array_equal(there.weight, here.weight)
        np.testing.assert_array_equal(there.bias, here.bias)


def test_a_model_without_network_comes_back(tmp_path):
    nothing = ModelSpecification(structure="nominal", hidden=[])
    save_model(PredictionModel.nominal(nothing), tmp_path / "mine")
    assert load_model(tmp_path / "mine").specification == nothing


def test_weights_that_are_not_contiguous_come_back(small, tmp_path):
    layers = tuple(dataclasses.replace(layer, weight=np.asfortranarray(layer.weight)) for layer in small.layers)
    save_model(dataclasses.replace(small, layers=layers), tmp_path / "mine")
    np.testing.assert_array_equal(load_model(tmp_path / "mine").packed(), small.packed())


def test_provenance_and_metrics_are_kept_for_people_to_read(small, tmp_path):
    save_model(small, tmp_path / "mine", provenance={"bags": ["a", "b"], "seed": 3}, metrics={"rmse": 0.5})
    text = yaml.safe_load((tmp_path / "mine" / "model.yaml").read_text())
    assert (text["provenance"], text["metrics"]) == ({"bags": ["a", "b"], "seed": 3}, {"rmse": 0.5})


def test_the_model_that_ships_is_the_nominal_arm():
    shipped = load_model("nominal")
    assert shipped.specification == ModelSpecification()
    assert not shipped.packed().any()


def test_an_unknown_name_is_refused_with_what_ships():
    with pytest.raises(BundleError, match=r"there is no model 'nominall' \(did you mean 'nominal'"):
        find_model("nominall")
    with pytest.raises(BundleError, match=r"there is no model 'xyz' \(known: .*nominal.*or give the path"):
        find_model("xyz")


def test_a_folder_without_description_is_no_bundle(tmp_path):
    with pytest.raises(BundleError, match=r"has no model\.yaml"):
        load_model(tmp_path)


def test_missing_weights_are_named(bundle):
    (bundle / "weights.safetensors").unlink()
    with pytest.raises(BundleError, match=r"there is no .*weights\.safetensors; a bundle needs"):
        load_model(bundle)


@pytest.mark.parametrize(
    "content", [b"", b"x" * 100, pickle.dumps({"weights": [1.0]})], ids=["empty", "junk", "pickle"]
)
def test_a_file_that_is_not_safetensors_is_refused(bundle, content):
    (bundle / "weights.safetensors").write_bytes(content)
    with pytest.raises(BundleError, match="is not a safetensors file"):
        load_model(bundle)


def test_a_truncated_file_is_refused(bundle):
    content = (bundle / "weights.safetensors").read_bytes()
    (bundle / "weights.safetensors").write_bytes(content[:-9])
    with pytest.raises(BundleError, match="is not a safetensors file"):
        load_model(bundle)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"layers.0.bias": np.full(3, np.nan)}, r"layers\.0\.bias of the model 'good' holds NaN"),
        ({"layers.0.bias": np.zeros(4)}, r"layers\.0\.bias of the model 'good' has shape \(4,\) where \(3,\)"),
        ({"layers.0.bias": np.zeros(3, np.float32)}, r"'layers\.0\.bias' in .* is float32, not float64"),
        ({"layers.0.bias": None}, r"lacks the tensor 'layers\.0\.bias'"),
        ({"input_std": None}, "lacks the tensor 'input_std'"),
        ({"layers.2.bias": np.zeros(3)}, r"holds the unknown tensor 'layers\.2\.bias'"),
        ({"layers.0.bias": np.full(3, 0.25)}, r"do not belong to its model\.yaml .*restore both files"),
    ],
)
def test_damaged_weights_are_refused_by_name(bundle, changes, complaint):
    change_tensors(bundle, **changes)
    with pytest.raises(BundleError, match=complaint):
        load_model(bundle)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"weight": 1}, "'weight' is not known"),
        ({"format": 2}, "'format'.*less than or equal to 1"),
        ({"specification": {"hidden": [0]}}, "'specification.hidden.0'"),
        ({"fingerprint": None}, "'fingerprint'"),
    ],
)
def test_a_malformed_description_is_refused_by_key(bundle, changes, complaint):
    change_description(bundle, **changes)
    with pytest.raises(ConfigError, match=complaint):
        load_model(bundle)


def test_a_description_that_is_not_yaml_is_refused_by_line(bundle):
    (bundle / "model.yaml").write_text("robot: [")
    with pytest.raises(ConfigError, match=r"model\.yaml, line 1: is not valid YAML"):
        load_model(bundle)


def test_another_structure_than_the_weights_were_trained_for_is_refused(bundle):
    change_description(bundle, specification={"structure": "full", "hidden": [3]})
    with pytest.raises(BundleError, match="do not belong to its"):
        load_model(bundle)


def test_a_bundle_is_never_overwritten(bundle, small):
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    with pytest.raises(BundleError, match="holds a model already; choose another folder"):
        save_model(PredictionModel.nominal(), bundle)
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before


def test_weights_without_description_are_not_overwritten_either(bundle):
    (bundle / "model.yaml").unlink()
    before = (bundle / "weights.safetensors").read_bytes()
    with pytest.raises(BundleError, match="holds a model already; choose another folder"):
        save_model(PredictionModel.nominal(), bundle)
    assert (bundle / "weights.safetensors").read_bytes() == before


def test_a_place_where_nothing_can_be_written_is_refused(small, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match=r"cannot be written to .*choose another folder"):
        save_model(small, tmp_path / "file" / "mine")


def test_what_interrupts_the_writing_leaves_nothing(small, tmp_path, monkeypatch):
    def leave(path, *arguments, **options):
        path.write_bytes(b"robot: p")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "write_text", leave)
        save_model(small, tmp_path / "mine")
    assert not list(tmp_path.iterdir())
    save_model(small, tmp_path / "mine")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert load_model(tmp_path / "mine").fingerprint == small.fingerprint


def test_a_folder_with_other_files_takes_a_bundle_and_keeps_them(small, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    save_model(small, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "model.yaml", "weights.safetensors"}
    assert load_model(tmp_path).fingerprint == small.fingerprint


def test_anyone_may_read_a_bundle_who_may_read_other_files(small, tmp_path):
    save_model(small, tmp_path / "mine")
    (tmp_path / "other").mkdir()
    assert (tmp_path / "mine").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_disk_without_room_is_told_in_a_sentence(small, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))  # writing further fails as on a full disk
    try:
        with pytest.raises(BundleError, match=r"cannot be written to .* \(File too large\); choose another folder"):
            save_model(small, tmp_path / "mine")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_as_yaml_leaves_no_half_bundle(small, tmp_path):
    with pytest.raises(BundleError, match="provenance"):
        save_model(small, tmp_path / "mine", provenance={"array": object()})
    assert not (tmp_path / "mine" / "model.yaml").exists()
    save_model(small, tmp_path / "mine")
