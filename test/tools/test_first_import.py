"""What set-up imports stays compiled, whatever the environment says."""

import os
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "first_import.py"


def test_every_module_that_can_be_imported_is_kept_compiled(tmp_path):
    package = tmp_path / "some_package"
    (package / "inner").mkdir(parents=True)
    for name, text in (
        ("__init__.py", ""),
        ("whole.py", "from some_package.inner import deep"),
        ("optional.py", "import not_installed_anywhere"),
        ("broken.py", "raise OSError('no such library')"),
        ("inner/__init__.py", ""),
        ("inner/deep.py", ""),
    ):
        (package / name).write_text(text)
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, str(TOOL), "some_package", "nothing"], env=environment, check=True)
    kept = {path.name.split(".")[0] for path in package.rglob("*.pyc")}
    assert kept >= {"__init__", "whole", "deep"}
