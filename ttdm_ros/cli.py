"""Command line ``ttdm``: every job of the package, and what can be asked of its nodes while they run.

Exit codes: 0 when all went well, 1 after one sentence on standard error, 2 for wrong arguments, 130 after Ctrl-C.
"""

import argparse
import sys
from collections.abc import Sequence

from ttdm_ros import __version__
from ttdm_ros.commands import (
    ask,
    benchmark,
    demo,
    evaluate,
    improve,
    info,
    record,
    report,
    salvage,
    sensitivities,
    study,
    train,
)
from ttdm_ros.errors import TtdmError

_INTERRUPTED = 130
_COMMANDS = {
    "demo": demo,
    "improve": improve,
    "info": info,
    "record": record,
    "ask": ask,
    "salvage": salvage,
    "report": report,
    "sensitivities": sensitivities,
    "train": train,
    "evaluate": evaluate,
    "study": study,
    "benchmark": benchmark,
}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="ttdm",
        description="Task-tailored dynamics models for model predictive control: record, learn, run live.",
        epilog="`ttdm COMMAND --help` tells more, with examples.",
    )
    parser.add_argument("--version", action="version", version=f"ttdm_ros {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, module in _COMMANDS.items():
        assert module.__doc__ is not None
        summary, _, text = module.__doc__.partition("\n\n")
        command = commands.add_parser(
            name,
            help=summary.rstrip("."),
            description=f"{summary}\n\n{text.strip()}".strip(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; ``arguments`` are those of the process if not given."""
    given = build_parser().parse_args(arguments)
    try:
        return int(given.run(given))
    except TtdmError as error:
        print(f"ttdm: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("ttdm: interrupted", file=sys.stderr)
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
