"""Written by tools/make_stubs.py."""

from typing import Literal, TypeAlias

RecipeName: TypeAlias = Literal[
    "bert",
    "convnext",
    "deepnorm",
    "deepnorm-encoder-decoder",
    "default",
    "dummy",
    "fixup",
    "fixup-basic",
    "gpt2",
    "llama",
    "llama-torchtitan",
    "lstm",
    "mamba",
    "megatron",
    "mup",
    "neox",
    "olmo",
    "resnet",
    "resnet-basic",
    "spectral",
    "t-fixup",
    "t5",
    "vit",
]
"""The names of the recipes that ship with the package."""
