"""Where acados is: the user's own first, then the wheel; whatever is missing is said in a sentence."""

import os
import sys
from types import SimpleNamespace

import pytest

from ttdm_ros.errors import SolverError
from ttdm_ros.mpc import acados


@pytest.fixture(autouse=True)
def forget(monkeypatch):
    """Search anew, now and afterwards, and leave the environment as it was."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.delenv("ACADOS_SOURCE_DIR", raising=False)
    monkeypatch.delenv("ACADOS_PYTHON_INTERFACE_PATH", raising=False)
    acados.find.cache_clear()
    yield
    acados.find.cache_clear()


def installation(folder):
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "libacados.so").write_bytes(b"library")
    return folder


def test_the_users_own_installation_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("ACADOS_SOURCE_DIR", str(installation(tmp_path / "mine")))
    found = acados.find()
    assert found.root == tmp_path / "mine"
    assert found.interface == tmp_path / "mine" / "interfaces" / "acados_template"


def test_the_users_own_interface_is_taken_from_where_it_says(tmp_path, monkeypatch):
    monkeypatch.setenv("ACADOS_SOURCE_DIR", str(installation(tmp_path / "mine")))
    monkeypatch.setenv("ACADOS_PYTHON_INTERFACE_PATH", str(tmp_path / "elsewhere" / "acados_template"))
    assert acados.find().interface == tmp_path / "elsewhere"


def test_a_source_folder_that_was_never_built_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("ACADOS_SOURCE_DIR", str(tmp_path))
    with pytest.raises(SolverError, match=r"ACADOS_SOURCE_DIR is .*, but there is no lib/libacados\.so in it; build"):
        acados.find()


def test_without_any_acados_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(SolverError, match=r"acados was not found; run 'make venv' .*or set ACADOS_SOURCE_DIR"):
        acados.find()


def test_the_identity_of_an_installation_changes_with_its_library(tmp_path, monkeypatch):
    monkeypatch.setenv("ACADOS_SOURCE_DIR", str(installation(tmp_path / "mine")))
    before = acados.find().identity
    (tmp_path / "mine" / "lib" / "libacados.so").write_bytes(b"another library")
    assert acados.find().identity != before


def test_an_option_that_this_acados_would_ignore_is_refused():
    with pytest.raises(SolverError, match="this acados has no solver option 'hpipm_mod'; use another version"):
        acados.set_option(SimpleNamespace(hpipm_mode="SPEED"), "hpipm_mod", "SPEED")


def test_libraries_that_cannot_be_loaded_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("ACADOS_SOURCE_DIR", str(installation(tmp_path / "mine")))
    with pytest.raises(SolverError, match=r"libacados\.so cannot be loaded .*; install acados again"):
        acados.load_libraries.__wrapped__()


def test_an_interface_that_cannot_be_imported_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("ACADOS_SOURCE_DIR", str(installation(tmp_path / "mine")))
    monkeypatch.setitem(sys.modules, "acados_template", None)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(SolverError, match=r"acados_template cannot be imported .*; install its Python requirements"):
        acados.template()
