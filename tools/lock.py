"""Write the lock files: resolve each requirements*.in from nothing and pin every package that pip would install."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADER = """\
# Made by `make lock` from {source} with Python {version}; do not edit by hand.
# Every package that a clean installation needs, at the version that was tested.
"""


def resolved(source: Path) -> list[tuple[str, str]]:
    """Return name and version of every package that a clean installation of a file has, sorted by name."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        subprocess.run([*command, "--report", str(report), "-r", str(source)], check=True)
        packages = [item["metadata"] for item in json.loads(report.read_text(encoding="utf-8"))["install"]]
    # A local version such as 2.13.0+cpu names one build; the lock pins the release, so that any build of it will do.
    return sorted((p["name"].lower(), p["version"].split("+")[0]) for p in packages)


def main() -> None:
    """Rewrite the lock files."""
    for source in sorted(ROOT.glob("requirements*.in")):
        lines = [f"{name}=={version}\n" for name, version in resolved(source)]
        header = HEADER.format(source=source.name, version=".".join(map(str, sys.version_info[:2])))
        target = source.with_suffix(".lock")
        target.write_text(header + "".join(lines), encoding="utf-8")
        print(f"{target.name}: {len(lines)} packages")


if __name__ == "__main__":
    main()
