"""How the documentation is built: ``sphinx-build -W -n docs build/docs``."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils.nodes import Node
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

import fastinit
from fastinit.cli import parser as command_line

os.environ.setdefault("KERAS_BACKEND", "jax")
sys.path.insert(0, str(Path(__file__).parent))

project = "fastinit"
version = release = fastinit.__version__
html_title = "fastinit"
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
templates_path = ["templates"]
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "language.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_copy_source = False
html_show_copyright = False

extensions = [
    "myst_parser",
    "pages",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx-mathjax-offline",
]
autosummary_generate = False
myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
# Signatures name these, and do not spell out every scheme and recipe.
autodoc_type_aliases = {name: name for name in ("RecipeLike", "RecipeName", "SchemeName")}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90
napoleon_google_docstring = False
napoleon_use_rtype = False
# `name` in a docstring is a link where the site documents that name, and code elsewhere.
default_role = "py:obj"
# What other packages document: there is no net to look it up in.
nitpick_ignore_regex = [
    ("py:.*", r"(?!fastinit\.).*|.*\._\w+"),  # and type variables
    ("py:class", r"fastinit\.plans\.(recipe\.Rule|sizes\.Size)"),  # what recipes are made of
]


def documented_above(app: Sphinx, env: BuildEnvironment, node: Any, contents: Node) -> Node | None:
    """What lives in `fastinit.plans.plan` is documented where it is exported from: `fastinit.Plan`."""
    domain = env.domains.python_domain
    *rooms, name = node["reftarget"].split(".")
    while rooms:
        full = ".".join([*rooms, name])
        if full in domain.objects:
            return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", full, node, contents)
        rooms.pop()
    return None


def readable(*event: Any) -> tuple[str | None, str | None]:
    """Autodoc writes `TypeAliasForwardRef('SchemeName') | Scheme` of a union, and of a function an address."""
    signature, returns = event[-2:]
    signature = re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", signature or "")
    return re.sub(r"<function [^ ]+>", "...", signature) or None, returns


def linked(*event: Any) -> None:
    """In a docstring a page's file is named; on the site that is a link."""
    event[-1][:] = [re.sub(r"`*\bdocs/([\w-]+)\.md`*", r":doc:`/\1`", line) for line in event[-1]]


class CommandLine(SphinxDirective):
    """A section for each subcommand, from the parser itself."""

    def run(self) -> list[Node]:
        commands = next(a for a in command_line()._actions if isinstance(a, argparse._SubParsersAction))
        helps = {action.dest: action.help for action in commands._choices_actions}
        lines = [
            line for name, parser in commands.choices.items() for line in _help(name, helps[name], parser)
        ]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def _help(name: str, text: str | None, parser: argparse.ArgumentParser) -> Iterator[str]:
    yield from (name, "-" * len(name), "", f"{text}.".capitalize(), "", ".. code-block:: text", "")
    parser.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=88)  # type: ignore[assignment]
    yield from (f"   {line}" for line in parser.format_usage().removeprefix("usage: ").splitlines())
    examples = (parser.epilog or "").removeprefix("examples:\n").splitlines()
    yield from ("", ".. code-block:: sh", "", *(f"   {line.strip()}" for line in examples))
    yield from ("", f".. program:: {parser.prog}", "")
    for action in parser._actions:
        value = action.metavar or action.dest.upper()
        takes = f" {value}" if action.option_strings and action.nargs != 0 else ""
        names = ", ".join(f"{option}{takes}" for option in action.option_strings) or action.dest
        yield from (f".. option:: {names}", "", f"   {action.help}", "")


def setup(app: Sphinx) -> None:
    app.connect("missing-reference", documented_above)
    app.connect("autodoc-process-signature", readable)
    app.connect("autodoc-process-docstring", linked)
    app.add_directive("command-line", CommandLine)
