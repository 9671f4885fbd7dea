"""A child process whose calls of the system are counted by faults.c, and fail where it is told so."""

from __future__ import annotations

import ctypes
import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NOTHING, FILES, MEMORY = range(3)  # what is counted, as in faults.c


@dataclass
class Outcome:
    """What became of a child process: its exit code, or minus the signal that ended it."""

    code: int
    out: str = ""
    err: str = ""
    log: tuple[str, ...] = ()  # the calls counted


def in_child(act: Callable[[], dict[str, Any]]) -> Outcome:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(60)  # for what would hang
        with open(writing, "w") as pipe:
            json.dump(act(), pipe)
        os._exit(0)
    os.close(writing)
    with open(reading) as pipe:
        text = pipe.read()
    status = os.waitpid(child, 0)[1]
    return Outcome(**json.loads(text)) if text else Outcome(os.waitstatus_to_exitcode(status))


class Shim:
    """faults.c, which is preloaded."""

    def __init__(self) -> None:
        self.functions = ctypes.CDLL(None)
        self.functions.faults_log.restype = ctypes.c_char_p
        self.functions.faults_arm.argtypes = [
            ctypes.c_int,
            ctypes.c_char_p,
            *2 * [ctypes.c_long],
            ctypes.c_int,
        ]
        self.functions.faults_disarm.restype = ctypes.c_long

    def arm(self, what: int, folder: Path, first: int, last: int, fault: int) -> None:
        self.functions.faults_arm(what, os.fsencode(folder), first, last, fault)

    def disarm(self) -> int:
        return int(self.functions.faults_disarm())

    def log(self) -> tuple[str, ...]:
        return tuple(self.functions.faults_log().decode().splitlines())
