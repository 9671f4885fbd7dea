"""The compiled core; everything else is in pyproject.toml.

FASTINIT_SANITIZE=address,undefined builds with those sanitizers.
"""

import os
import shutil
import sys
import sysconfig
from glob import glob

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class BuildExt(build_ext):
    def build_extensions(self) -> None:
        if sys.platform == "win32":  # MSVC's own compiler has no vector types
            self.compiler.initialize()
            self.compiler.cc = shutil.which("clang-cl") or "clang-cl"
        super().build_extensions()


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
            depends=glob("csrc/*.h"),
            include_dirs=["csrc"],
            define_macros=[("Py_LIMITED_API", "0x030B0000")] if limited else [],
            extra_compile_args=flags,
            extra_link_args=link,
            py_limited_api=limited,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if limited else {},
)
