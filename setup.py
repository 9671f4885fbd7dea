"""The compiled core; everything else is in pyproject.toml.

FASTINIT_SANITIZE=address,undefined builds with those sanitizers.
"""

import hashlib
import os
import re
import shutil
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from glob import glob
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HEADERS = sorted(glob("csrc/*.h"))


def kernels_for_gpus() -> str:
    """The source of the CUDA kernels and all that it includes as one text, for the compiler that users' machines have."""
    seen: set[str] = set()

    def text(name: str) -> str:
        if name in seen:
            return ""
        seen.add(name)
        own = re.sub(r"^#include <.*>\n", "", (Path("csrc") / name).read_text(), flags=re.M)
        return re.sub(r'^#include "(.*)"\n', lambda include: text(include[1]), own, flags=re.M)

    return text("kernel_cuda.cu")


class BuildExt(build_ext):
    def run(self) -> None:
        super().run()
        package = Path(self.get_ext_fullpath("fastinit._core")).parent
        (package / "cuda").mkdir(exist_ok=True)
        (package / "cuda" / "kernels.cu").write_text(kernels_for_gpus())

    def build_extensions(self) -> None:
        if sys.platform == "win32":  # MSVC's own compiler has no vector types
            self.compiler.initialize()
            self.compiler.cc = shutil.which("clang-cl") or "clang-cl"
        for extension in self.extensions:  # link it again: object_of knows what is up to date
            Path(self.get_ext_fullpath(extension.name)).unlink(missing_ok=True)
        one_by_one = self.compiler.compile
        with ThreadPoolExecutor(os.cpu_count()) as pool:

            def side_by_side(sources: list[str], **options: Any) -> list[str]:
                return list(pool.map(partial(self.object_of, one_by_one, options), sources))

            self.compiler.compile = side_by_side
            super().build_extensions()

    def object_of(self, compile: Any, options: dict[str, Any], source: str) -> str:
        """The object of a source. It stays in build/objects, and later builds, those of pip too, use it again as long as
        the source, the headers and the compiler's command are the same.
        """
        options = {**options, "output_dir": "build/objects"}
        (out,) = self.compiler.object_filenames([source], output_dir=options["output_dir"])
        command = [
            getattr(self.compiler, "compiler_so", None),
            self.compiler.include_dirs,
            options,
            sys.version,
        ]
        digest = hashlib.sha256(repr(command).encode())
        for path in [source, *HEADERS]:
            digest.update(Path(path).read_bytes())
        made_from = Path(f"{out}.sha256")
        made = Path(out).exists() and made_from.exists() and made_from.read_text() == digest.hexdigest()
        if self.force or not made:
            made_from.unlink(missing_ok=True)
            compile([source], **options)
            made_from.write_text(digest.hexdigest())
        return str(out)


# The bits depend on it: no contraction of a * b + c that the source does not write, no fast-math.
if sys.platform == "win32":
    flags = ["/clang:-std=c11", "/clang:-ffp-contract=off", "-Wno-psabi"]
else:
    flags = ["-std=c11", "-O2", "-ffp-contract=off", "-fno-fast-math", "-Wno-psabi"]
    flags += ["-Werror=incompatible-pointer-types"]  # as newer compilers have it
    # Where a loop falls in the cache lines of instructions is worth a fifth.
    flags += ["-falign-functions=64", "-falign-loops=64"]
link: list[str] = []
if sys.platform.startswith("linux"):
    flags += ["-D_GNU_SOURCE", "-pthread", "-g0"]
    link += ["-pthread"]
if sanitizers := os.environ.get("FASTINIT_SANITIZE"):
    flags += [
        f"-fsanitize={sanitizers}",
        "-fno-omit-frame-pointer",
        "-fno-sanitize-recover=all",
        "-g1",
        "-O1",
    ]
    link += [f"-fsanitize={sanitizers}"]

# One build for every CPython from 3.11 on, by its limited API, which free-threaded ones do not have.
limited = not sysconfig.get_config_var("Py_GIL_DISABLED")

setup(
    cmdclass={"build_ext": BuildExt},
    ext_modules=[
        Extension(
            "fastinit._core",
            sources=["src/fastinit/_core.pyx", *sorted(glob("csrc/*.c"))],
            depends=[*HEADERS, "src/fastinit/_core.pxd"],
            include_dirs=["csrc"],
            define_macros=[("Py_LIMITED_API", "0x030B0000")] if limited else [],
            extra_compile_args=flags,
            extra_link_args=link,
            py_limited_api=limited,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if limited else {},
)
