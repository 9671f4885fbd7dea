"""What this adapter rests on that Keras does not promise, each with the reason, and what happens without it."""

from __future__ import annotations

from typing import Any


def all_layers(model: Any) -> list[Any]:
    """A model and all layers within it, from outside in: the innermost that has a variable is its owner.

    Keras has no public walk over layers that are not in ``model.layers``. Without this one, AttributeError.
    """
    layers: list[Any] = model._flatten_layers()
    return layers


def made_trainable(layer: Any) -> list[Any]:
    """The layer's own variables that were made to be trained, also those that are frozen now; moving averages and seeds are
    not. Without this list, AttributeError, and only if frozen variables are asked for.
    """
    variables: list[Any] = layer._trainable_variables
    return variables
