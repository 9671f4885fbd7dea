"""Packages that only a part of fastinit needs, and the commands that install them."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def needs(package: str, *, extra: str, what: str) -> Any:
    """The package, imported.

    Parameters
    ----------
    package
        What is imported.
    extra
        The extra of fastinit that installs it.
    what
        What needs it, for the error.

    Raises
    ------
    ModuleNotFoundError
        if the package is not installed, with the command that installs it.

    Examples
    --------
    >>> needs("no_such_package", extra="plot", what="a picture")
    Traceback (most recent call last):
    ModuleNotFoundError: a picture needs no_such_package: pip install "fastinit-nn[plot]"
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if not f"{package}.".startswith(f"{error.name}."):  # it is there, and lacks something itself
            raise
    raise ModuleNotFoundError(f"{what} needs {package}: {install(extra)}", name=package)


def needs_keras() -> None:
    """Import Keras.

    Raises
    ------
    ModuleNotFoundError
        if Keras or the package of its backend is not installed, with the command that installs it.
    """
    try:
        needs("keras", extra="keras", what="fastinit.keras")
        return
    except ModuleNotFoundError as error:
        if error.name not in ("tensorflow", "jax", "torch"):
            raise
        backend = error.name
    message = f"Keras runs on {backend}, which is not installed"
    if backend == "tensorflow":  # Keras's choice where nobody chose
        message += ". Set the environment variable KERAS_BACKEND to jax or torch before Keras is imported. To install JAX"
        backend = "jax"
    raise ModuleNotFoundError(f"{message}: {install(f'keras,{backend}')}", name=backend)


def install(extra: str) -> str:
    """The command that installs an extra.

    >>> install("torch")
    'pip install "fastinit-nn[torch]"'
    """
    return f'pip install "fastinit-nn[{extra}]"'
