"""The command line: ``fastinit COMMAND ...``."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from .._version import __version__
from . import errors, init, inspect, plan, probe, recipes, schemes, verify

_COMMANDS = (plan, init, verify, inspect, probe, schemes, recipes)
_EXAMPLES = """examples:
  echo '{"fc.weight": [4, 8], "fc.bias": [4]}' > model.json
  fastinit plan model.json
  fastinit init model.json --seed 0 -o model.safetensors
  fastinit verify model.safetensors
  fastinit schemes he_normal

"fastinit COMMAND --help" explains a command."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns
    -------
    int
        0 if all is well; 1 if a file cannot be written or read; 2 for wrong arguments; 3 for deviations or faults that were
        found; 130 after Ctrl-C; 141 if the reader of what is printed has left.
    """
    commands = parser()
    if "_ARGCOMPLETE" in os.environ:  # the shell asks what may follow; never imported otherwise
        importlib.import_module("argcomplete").autocomplete(commands)
    arguments = commands.parse_args(argv)
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes at its end
        return 141
    except OSError as error:
        return _fail(errors.sentence(error, getattr(arguments, "output", None)), 1)
    except MemoryError as error:
        return _fail(str(error) or "there is not enough memory", 2)
    except (ImportError, TypeError, ValueError) as error:
        return _fail(str(error) or type(error).__name__, 2)


def _fail(message: str, code: int) -> int:
    print(f"fastinit: error: {message}", file=sys.stderr)
    return code


def parser() -> argparse.ArgumentParser:
    """The parser of all commands. Without a command, the help is shown."""
    whole = argparse.ArgumentParser(
        prog="fastinit",
        description="Initialise neural networks, and look at what an initialisation does.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"fastinit {__version__}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND")
    for command in _COMMANDS:
        command.add(commands)
    for one in commands.choices.values():
        one.add_argument("--json", action="store_true", help="print JSON, for programs")

    def show_help(arguments: argparse.Namespace) -> int:
        whole.print_help()
        return 0

    whole.set_defaults(run=show_help)
    return whole
