"""Import every module of a package once, so that Python keeps them compiled, and all that they import.

    python first_import.py ttdm_ros [FURTHER ...]

Set-up does this. Without it the first command would take seconds longer, and every command where
PYTHONDONTWRITEBYTECODE is set, as in many containers: then nothing that is imported later is kept.
"""

import contextlib
import importlib
import pkgutil
import sys

sys.dont_write_bytecode = False


def import_all(package: str) -> None:
    """Import a package and what is in it, but what cannot be: something optional may be missing for it."""
    with contextlib.suppress(Exception):
        path = getattr(importlib.import_module(package), "__path__", [])
        for module in pkgutil.walk_packages(path, f"{package}.", onerror=lambda name: None):
            with contextlib.suppress(Exception):
                importlib.import_module(module.name)


def main() -> None:
    """Import what the command line names."""
    for package in sys.argv[1:]:
        import_all(package)
    if torch := sys.modules.get("torch"):  # its optimisers import a thousand modules more, but only when one is made
        torch.optim.AdamW([torch.zeros(1, requires_grad=True)])


if __name__ == "__main__":
    main()
