"""The one loader of YAML."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ttdm_ros.yaml_text import read_yaml

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = sorted([*ROOT.glob("config/**/*.yaml"), *ROOT.glob("models/*/model.yaml")])


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_ships_is_read_as_the_plain_loader_reads_it(path):
    text = path.read_text(encoding="utf-8")
    assert read_yaml(text) == yaml.safe_load(text)


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="PyYAML was built without libyaml")
def test_libyaml_reads_where_it_is_there():
    from ttdm_ros import yaml_text

    assert yaml_text._Loader is yaml.CSafeLoader


def test_without_libyaml_it_is_read_all_the_same():
    program = (
        "import yaml; del yaml.CSafeLoader; from ttdm_ros.yaml_text import read_yaml; print(read_yaml('a: [1, x]'))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "{'a': [1, 'x']}"


@pytest.mark.parametrize("text", ["a: [1", "a: !!python/object/apply:os.system ['true']", "a: b: c", "\x00"])
def test_what_is_not_plain_yaml_is_refused(text):
    with pytest.raises(yaml.YAMLError):
        read_yaml(text)


def test_nothing_in_the_package_loads_yaml_otherwise():
    for path in (ROOT / "ttdm_ros").rglob("*.py"):
        if path.name != "yaml_text.py":
            text = path.read_text(encoding="utf-8")
            assert "yaml.safe_load" not in text and "yaml.load(" not in text, path


def test_an_error_names_the_line_that_is_wrong():
    with pytest.raises(yaml.MarkedYAMLError) as caught:
        read_yaml("a: 1\nb: [\n")
    assert caught.value.problem_mark.line == 2
    with pytest.raises(yaml.MarkedYAMLError) as caught:
        read_yaml("type: [")
    assert caught.value.problem_mark.line == 0
