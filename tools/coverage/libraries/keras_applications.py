"""keras.applications: every architecture, without its weights; the fans of each layer are measured."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import keras
from keras_model import check

PACKAGE = "keras"
SAMPLE = ["MobileNetV2"]


def cases() -> dict[str, Callable[[], None]]:
    found = vars(keras.applications)
    return {
        name: partial(check, partial(make, weights=None, classes=10))
        for name, make in found.items()
        if name[:1].isupper() and callable(make)
    }
