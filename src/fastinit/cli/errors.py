"""Errors of files as sentences."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def sentence(error: OSError, output: str | None = None) -> str:
    """What went wrong, without numbers of the system.

    Parameters
    ----------
    error
        An error of the library, with its errno and filename.
    output
        The file or folder that the command writes. Other files are read.

    Examples
    --------
    >>> sentence(FileNotFoundError(2, "No such file or directory", "nodir/a.safetensors"), "nodir/a.safetensors")
    "cannot write 'nodir/a.safetensors': the folder 'nodir' does not exist"
    >>> sentence(OSError(28, "No space left on device", "a.safetensors"), "a.safetensors")
    "cannot write 'a.safetensors': no space left on device"
    """
    if error.errno is None:
        return str(error)
    if error.filename is None:
        return reason(error.errno)
    path = Path(os.fsdecode(error.filename))
    writes = output is not None and (path == Path(output) or Path(output) in path.parents)
    if error.errno == errno.ENOENT:
        why = "the file does not exist"
        if missing := _missing_folder(path):
            why = f"the folder {str(missing)!r} does not exist"
    elif error.errno == errno.EISDIR:
        why = "it is a folder"
    elif error.errno in (errno.ENOTDIR, errno.EEXIST):
        file = next((part for part in (path, *path.parents) if os.path.isfile(part)), path)
        why = f"{str(file)!r} is a file, not a folder"
    elif error.errno == errno.EINVAL and os.path.exists(path) and not os.path.isfile(path):
        why = "it is not a regular file"
    else:
        why = reason(error.errno)
    return f"cannot {'write' if writes else 'read'} {str(path)!r}: {why}"


def reason(code: int) -> str:
    """The system's words for an error's number, as the end of a sentence.

    >>> reason(13)
    'permission denied'
    """
    words = os.strerror(code)
    return words[:1].lower() + words[1:]


def _missing_folder(path: Path) -> Path | None:
    """The outermost folder above the path that does not exist."""
    missing = None
    for folder in path.parents:
        if os.path.exists(folder):
            break
        missing = folder
    return missing
