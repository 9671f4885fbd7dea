"""The kernels of one law and dtype as machine code, by NVRTC, which needs no GPU and no CUDA toolkit."""

from __future__ import annotations

import contextlib
import os
import sys
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from .._core import law_argument
from ..extras import install, needs
from ..files.atomic import save

_OPTIONS = (
    "-std=c++17",
    "-default-device",
    # Bits depend on these. The first concerns scalar code only: the lanes name operations that are never fused.
    "-fmad=false",
    "-ftz=false",
    "-prec-div=true",
    "-prec-sqrt=true",
    "-diag-error=20044",  # an extern constant would be a zero
    "-diag-suppress=177",
    f"-DFI_LAW_BYTES={len(law_argument('normal', 'float32', (0.0, 1.0))[2])}",
)


class Kernels(NamedTuple):
    """The kernels of a law and a dtype. ``shortcut`` chooses those for numbers that need fewer instructions."""

    law: str
    dtype: str
    shortcut: bool

    def name(self, kind: str) -> str:
        """The name of one of them: a run, a batch, a box, or what a program of XLA draws by, origins and keyed boxes."""
        return f"{kind}_{self.law}_{self.dtype}" + "_shortcut" * self.shortcut


@cache
def source() -> str:
    """The text that is compiled, made of csrc when fastinit is built."""
    return Path(__file__).with_name("kernels.cu").read_text()


def nvrtc() -> Any:
    """NVRTC's functions. ModuleNotFoundError says what to install."""
    functions = needs("cuda.bindings.nvrtc", extra="cuda", what="drawing on a GPU")
    try:
        functions.nvrtcVersion()
    except RuntimeError as error:  # the bindings are there without the library
        raise ModuleNotFoundError(
            f"drawing on a GPU needs NVIDIA's NVRTC: {install('cuda')} ({error})", name="nvrtc"
        ) from None
    return functions


@cache
def options_for(arch: str) -> tuple[str, ...]:
    """All options of the compiler for a device such as "90", or for the newest one before it that runs its code.

    RuntimeError if NVRTC is older than the device.
    """
    _, *known = _checked("nvrtcGetSupportedArchs", nvrtc().nvrtcGetSupportedArchs())
    fitting = [a for a in known[-1] if a // 10 == int(arch) // 10 and a <= int(arch)]
    if not fitting:
        raise RuntimeError(f"NVRTC {_version()} does not know devices of compute capability {arch}")
    return (f"-arch=sm_{max(fitting)}", *_OPTIONS)


def instance(kernels: Kernels) -> str:
    """What makes the source's kernels for one law and dtype."""
    shortcut = kernels.shortcut
    return f"KERNELS({kernels.law}, {kernels.dtype}, {str(shortcut).lower()}, {'_shortcut' * shortcut})"


def compile(kernels: Kernels, arch: str, kind: str = "CUBIN") -> bytes:
    """The code of the kernels. ``kind`` is "CUBIN" for machine code or "PTX" for text."""
    functions = nvrtc()
    options = [option.encode() for option in (*options_for(arch), f"-DFI_ONLY={instance(kernels)}")]
    created = functions.nvrtcCreateProgram(source().encode(), b"fastinit.cu", 0, None, None)
    program = _checked("nvrtcCreateProgram", created)[1]
    try:
        (error,) = functions.nvrtcCompileProgram(program, len(options), options)
        if int(error):
            log = _text(functions, program, "ProgramLog").decode()
            raise RuntimeError(f"NVRTC {_version()} cannot compile {kernels}: {log[:4000]}")
        return _text(functions, program, kind)
    finally:
        functions.nvrtcDestroyProgram(program)


def cubin(kernels: Kernels, arch: str) -> bytes:
    """The machine code, from the disk if it was compiled before. A file that is not whole counts as none."""
    said = (source(), options_for(arch), kernels, _version())
    path = _folder() / f"{sha256(repr(said).encode()).hexdigest()}.cubin"
    with contextlib.suppress(OSError):
        kept = path.read_bytes()
        if sha256(kept[32:]).digest() == kept[:32]:
            return kept[32:]
    code = compile(kernels, arch)
    with contextlib.suppress(OSError):  # a folder that cannot be written costs time only
        path.parent.mkdir(parents=True, exist_ok=True)
        save(path, sha256(code).digest() + code)
    return code


def _folder() -> Path:
    """Where compiled kernels are kept: FASTINIT_CACHE, or the user's folder of caches."""
    if own := os.environ.get("FASTINIT_CACHE"):
        return Path(own)
    home = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
    return Path(os.environ.get(home) or Path.home() / ".cache") / "fastinit"


@cache
def _version() -> str:
    _, major, minor = _checked("nvrtcVersion", nvrtc().nvrtcVersion())
    return f"{major}.{minor}"


def _text(functions: Any, program: Any, kind: str) -> bytes:
    size = _checked(f"nvrtcGet{kind}Size", getattr(functions, f"nvrtcGet{kind}Size")(program))[1]
    text = bytearray(size)
    _checked(f"nvrtcGet{kind}", getattr(functions, f"nvrtcGet{kind}")(program, text))
    return bytes(text)


def _checked(function: str, result: tuple[Any, ...]) -> tuple[Any, ...]:
    if int(result[0]):
        raise RuntimeError(f"{function}: {result[0].name}")
    return result
