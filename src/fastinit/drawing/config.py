"""What this process runs on: instruction set and number of threads."""

from __future__ import annotations

import os
import warnings

import numpy as np

from .. import _core
from .._version import __version__
from ..arguments import positive_integer
from .streams import STREAM_VERSION


def available_isas() -> tuple[str, ...]:
    """Instruction sets that this machine runs, best first. All of them give the same bits.

    >>> available_isas()[-1]
    'base'
    """
    return _core.available_isas()


def _chosen_isa() -> int:
    wanted, names = os.environ.get("FASTINIT_ISA"), available_isas()
    if not wanted:
        return 0
    if wanted not in names:
        raise ImportError(f"FASTINIT_ISA={wanted!r} cannot run here; this machine runs {', '.join(names)}")
    return names.index(wanted)


def _container_cpus() -> float:
    """CPUs that a Linux control group (version 2) grants this process."""
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:
            quota, period = file.read().split()
        return float(quota) / float(period)
    except (OSError, ValueError):
        return float("inf")


def _default_threads() -> int:
    if text := os.environ.get("FASTINIT_NUM_THREADS"):
        try:
            return _checked_threads(int(text))
        except ValueError:
            warnings.warn(f"FASTINIT_NUM_THREADS={text!r} is no number of threads; ignored", stacklevel=2)
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        cpus = os.cpu_count() or 1
    return min(max(1, int(min(cpus, _container_cpus()))), _core.MAX_THREADS)


def _checked_threads(threads: int) -> int:
    return min(positive_integer("threads", threads), _core.MAX_THREADS)


ISA = _chosen_isa()  # its index in `available_isas`
_threads = _default_threads()


def isa() -> str:
    """The instruction set in use: the best one, or the one named by the environment's FASTINIT_ISA.

    >>> isa() in available_isas()
    True
    """
    return available_isas()[ISA]


def get_num_threads() -> int:
    """Threads that a fill may use. At first the CPUs granted to the process, or FASTINIT_NUM_THREADS.

    >>> 1 <= get_num_threads() <= 256
    True
    """
    return _threads


def set_num_threads(threads: int) -> None:
    """Set how many threads a fill may use; numbers above 256 count as 256. The values drawn do not depend on it.

    Raises TypeError for what is not an integer, ValueError for a number below 1.

    >>> before = get_num_threads()
    >>> set_num_threads(2)
    >>> get_num_threads()
    2
    >>> set_num_threads(before)
    """
    global _threads
    _threads = _checked_threads(threads)


def threads_for(threads: int | None) -> int:
    return _threads if threads is None else _checked_threads(threads)


def show_config() -> None:
    """Print what matters for a report: versions, machine, instruction sets, threads.

    >>> show_config()  # doctest: +ELLIPSIS
    fastinit ..., stream version 1
    NumPy ..., Python ...
    instruction set ... of ...; ... threads
    """
    import platform

    print(f"fastinit {__version__}, stream version {STREAM_VERSION}")
    print(f"NumPy {np.__version__}, Python {platform.python_version()}, {platform.platform()}")
    print(f"instruction set {isa()} of {', '.join(available_isas())}; {get_num_threads()} threads")
