"""Options that several commands share, and what they stand for."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..checkpoints import stored
from ..dtypes import COMPLEX, DTYPES, dtype_name
from ..extras import needs
from ..files.safetensors import INDEX
from ..plans.make import plan
from ..plans.plan import Plan, written_plan
from ..plans.recipe import Recipe, read_recipe, shipped_recipes
from ..schemes.catalogue import SCHEMES

MODEL = (
    'the model: a JSON file of names and shapes, such as {"fc.weight": [4, 8]}; or a .safetensors file, of which the '
    "header is read; or a folder with the config.json of a Hugging Face model"
)
Run = Callable[[argparse.Namespace], int]


def add_command(commands: Any, name: str, run: Run, purpose: str, examples: str) -> argparse.ArgumentParser:
    """Add a subcommand with its examples."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=purpose,
        description=f"{purpose[0].upper()}{purpose[1:]}.",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def add_recipe(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the options that choose a recipe."""
    parser.add_argument(
        "--recipe",
        help="the name of a recipe (see: fastinit recipes) or of a scheme (see: fastinit schemes), "
        f"or a TOML file; by default {default}",
    )
    parser.add_argument(
        "--size",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="change a size of the recipe, such as base_width=256",
    )


def add_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--names",
        choices=("model", "hub"),
        help="for the folder of a config.json: names and shapes of transformers' model, or those of the checkpoints on the "
        "Hugging Face Hub, which inference engines read; by default the former, for a quantised model the latter",
    )


def add_dtype(parser: argparse.ArgumentParser) -> None:
    names = ", ".join([*(f"{name} ({row.short})" for name, row in DTYPES.items()), *COMPLEX])
    parser.add_argument("--dtype", help=f"instead of the model's own dtype: {names}")


def add_threads(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threads", type=int, metavar="N", help="use at most N threads; the values do not depend on it"
    )


def recipe_of(arguments: argparse.Namespace, said: str = "") -> Recipe | str | None:
    """The recipe's name, or the recipe with the sizes given.

    Parameters
    ----------
    arguments
        With ``recipe`` and ``size``.
    said
        The recipe that a checkpoint names, which counts if the options name none: a name, and perhaps sizes, as in
        "mup, base_width=128".
    """
    name, *said_sizes = [arguments.recipe] if arguments.recipe or not said else said.split(", ")
    sizes = dict(map(_size, said_sizes))
    chosen = list(map(_size, arguments.size))
    if len(dict(chosen)) < len(chosen):
        raise ValueError(f"--size gives a size twice: {', '.join(arguments.size)}")
    sizes |= dict(chosen)
    return read_recipe(name or "default", **sizes) if sizes else name


def is_known(said: str) -> bool:
    """Whether what a checkpoint calls its recipe can be read here."""
    name, *sizes = said.split(", ")
    named = name in shipped_recipes() or name in SCHEMES or (name.endswith(".toml") and os.path.exists(name))
    return named and all("=" in size for size in sizes)


def _size(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        return name, float(number)
    except ValueError:
        raise ValueError(f"--size must be NAME=NUMBER, got {text!r}") from None


def describes_model(path: str) -> bool:
    """Whether the path is a folder with the config.json of a Hugging Face model."""
    return os.path.exists(os.path.join(path, "config.json"))


def plan_of(
    model: str | Mapping[str, Any], recipe: Recipe | str | None, dtype: str | None, names: str | None
) -> Plan:
    """The plan for a model's file, folder or tensors."""
    dtype = dtype and dtype_name(dtype)
    if names and not (isinstance(model, str) and describes_model(model)):
        raise ValueError(
            f"--names {names} needs the folder of a config.json: transformers knows both names of its models"
        )
    if not isinstance(model, str):
        return plan(model, recipe or "default", dtype=dtype)
    if describes_model(model):
        of_config = _plan_of_config(model, recipe, names)
        return of_config.astype(dtype) if dtype else of_config
    made = written_plan(model)
    if made is not None and recipe is not None:
        chosen = plan(dict(made), recipe, dtype=dtype)
        return replace(chosen, ties=made.ties, unfilled=made.unfilled, buffers=made.buffers)
    if made is not None:
        return made.astype(dtype) if dtype else made
    if not os.path.isdir(model):
        return plan(model, recipe or "default", dtype=dtype)
    if not any(os.path.exists(os.path.join(model, name)) for name in (INDEX, "model.safetensors")):
        raise ValueError(
            f"the folder {model!r} has neither a config.json nor a model.safetensors or its index"
        )
    return plan(stored(model), recipe or "default", dtype=dtype)


def _plan_of_config(folder: str, recipe: Recipe | str | None, names: str | None) -> Plan:
    """What the code of the model of a config.json would draw, or what a recipe gives it."""
    for package in ("torch", "transformers"):
        needs(package, extra="hf", what="a folder with a config.json")
    from ..torch.recording.huggingface import plan_of_config  # only here: torch and transformers

    return plan_of_config(folder, recipe, names)
