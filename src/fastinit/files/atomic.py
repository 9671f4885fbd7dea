"""Files that appear whole or not at all, and that a later run can go on with."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: no locks; leftovers stay and are not continued
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], *, resume: bool = False) -> Iterator[int]:
    """A descriptor to read and write; what was written takes the path's place at the end, or leaves no trace.

    With ``resume``, the descriptor holds the part that an earlier run left, and on a failure the part stays for the next
    run. A symbolic link's target is replaced, not the link; permissions are the old file's or follow the umask. Raises
    OSError with errno and the path.
    """
    try:
        target = _resolved(path)
        mode = mode_of(target)
        temporary, file = _leftover(target, keep=resume) or _new_part(target)
        try:
            try:
                if mode is not None and hasattr(os, "fchmod"):
                    os.fchmod(file, mode)
                yield file
                os.fsync(file)
                if fcntl:  # under the lock
                    os.replace(temporary, target)
            finally:
                os.close(file)
            if not fcntl:  # Windows cannot rename an open file
                os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                if not resume or not os.path.getsize(temporary):
                    os.unlink(temporary)
            raise
        _sync_folder(target.parent)
    except OSError as error:
        if error.errno is None:
            raise
        raise type(error)(error.errno, os.strerror(error.errno), str(path)) from error


def save(path: str | os.PathLike[str], data: bytes) -> None:
    """The data as a file, by way of `replacing`."""
    with replacing(path) as file:
        write(file, memoryview(data))


@contextlib.contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Gives an OSError from within this file's name, unless it names a file already; errors of reads do not."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise type(error)(error.errno, error.strerror, str(path)) from error


def write(file: int, data: memoryview) -> None:
    """Write all of the data at the descriptor's position."""
    while data:
        data = data[os.write(file, data) :]


def read(file: int, count: int) -> bytes:
    """``count`` bytes from the descriptor's position, or fewer at the file's end."""
    pieces = []
    while count and (piece := os.read(file, count)):
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def _new_part(target: Path) -> tuple[Path, int]:
    while True:
        part = target.with_name(f".{target.name}.{os.urandom(8).hex()}.part")
        file = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        try:
            if fcntl:
                fcntl.flock(file, fcntl.LOCK_EX)  # tells a live file from a leftover
            if os.fstat(file).st_nlink:
                return part, file
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)
            os.close(file)
            raise
        os.close(file)  # another writer was first, and took it for a leftover


def _leftover(target: Path, keep: bool) -> tuple[Path, int] | None:
    """A part of the same file on which nobody holds a lock, to be continued if ``keep``; all others are removed.

    Parts of another writer at work, or of another user, are not touched.
    """
    if not fcntl:
        return None
    found = None
    for name in os.listdir(target.parent):
        if not (name.startswith(f".{target.name}.") and name.endswith(".part")):
            continue
        part = target.with_name(name)
        with contextlib.suppress(BlockingIOError, FileNotFoundError, PermissionError):
            file = os.open(part, os.O_RDWR)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not os.path.samestat(os.fstat(file), os.stat(part)):
                    raise FileNotFoundError(part)  # its writer has just finished
                if keep and not found:
                    found = part, os.dup(file)
                else:
                    os.unlink(part)
            finally:
                os.close(file)
    return found


def kind_of(path: str | os.PathLike[str], follow_symlinks: bool = True) -> int:
    """The `st_mode` of what is there, 0 if nothing is. `Path.exists` and its like hide other errors from Python 3.14 on."""
    try:
        return os.stat(path, follow_symlinks=follow_symlinks).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _resolved(path: str | os.PathLike[str]) -> Path:
    """What links lead to. Only the error of a missing file is ignored; a plain realpath ignores all."""
    try:
        return Path(os.path.realpath(path, strict=True))
    except FileNotFoundError:
        return Path(os.path.realpath(path))


def mode_of(path: str | os.PathLike[str]) -> int | None:
    """Permissions of the regular file at the path, None if there is nothing; OSError for anything else."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file")
    return stat.S_IMODE(mode)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
