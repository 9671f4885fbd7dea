"""One case in a process of its own, so that no model leaves anything behind and none can end the run."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import time
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from verdict import NotBuiltError, RefusedError, TooLargeError, WrongError

MEMORY = 5 << 30  # bytes of data that a case may take
_STATUS = {
    NotBuiltError: "not built",
    RefusedError: "refused",
    WrongError: "wrong",
    TooLargeError: "large",
    MemoryError: "not built",
}


def verdict(case: Callable[[], str | None], timeout: float) -> dict[str, Any]:
    """The case's `status` ("right", "wrong", "refused", "large", "not built", "failed"), its `reason` and its `seconds`."""
    began = time.monotonic()
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_run, args=(case, theirs))
    child.start()
    theirs.close()
    said = {"status": "not built", "reason": f"not done after {timeout:g} s"}
    if ours.poll(timeout):
        try:
            said = json.loads(ours.recv_bytes())
        except EOFError:
            child.join()
            said = {"status": "failed", "reason": f"the process ended with {child.exitcode}"}
    child.kill()
    child.join()
    return {**said, "seconds": round(time.monotonic() - began, 2)}


def _run(case: Callable[[], str | None], answer: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    said = {"status": "right", "reason": ""}
    try:
        said["reason"] = case() or ""
    except tuple(_STATUS) as error:
        said = {"status": _STATUS[type(error)], "reason": str(error) or "no memory"}
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        where = "; ".join(f"{os.path.basename(f.filename)}:{f.lineno}" for f in frames[-3:])
        said = {"status": "failed", "reason": f"{type(error).__name__}: {error} ({where})"}
    answer.send_bytes(json.dumps(said).encode())
    os._exit(0)
