"""Fixtures that many tests share."""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import shlex
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cuda_stand_in
import numpy as np
import pytest
import webassembly
from cuda_stand_in import HostDriver
from hypothesis import settings
from programs import ROOT
from programs import program_of as program_of

from fastinit import _core, cli, cuda
from fastinit.dtypes import DTYPES, numpy_dtype
from fastinit.schemes.catalogue.row import Scheme

# Examples are the same in every run; a failure is always a bug.
settings.register_profile("fixed", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("fixed")
os.environ.setdefault("KERAS_BACKEND", "jax")

EXAMPLES = ROOT / "examples"
FLAGS = [
    "-std=c11",
    "-D_GNU_SOURCE",
    "-O2",
    "-ffp-contract=off",
    "-Wno-psabi",
    "-pthread",
    f"-I{ROOT / 'csrc'}",
]
ISAS = _core.available_isas()
BITS = {name: np.dtype(f"u{row.size}") for name, row in DTYPES.items()}
"""The unsigned integers as wide as each dtype."""
NARROW = [name for name, row in DTYPES.items() if row.size < 4]


def read_vectors(name: str) -> list[list[str]]:
    """The fields of each line of a file in tests/vectors."""
    lines = (ROOT / "tests" / "vectors" / name).read_text().splitlines()
    return [line.split() for line in lines if line and not line.startswith("#")]


def loaded(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a file by the safetensors library, whose NumPy side cannot load 8-bit floats."""
    import safetensors

    names = {row.safetensors: name for name, row in DTYPES.items()}
    return {
        name: np.frombuffer(entry["data"], numpy_dtype(names[entry["dtype"]])).reshape(entry["shape"])
        for name, entry in safetensors.deserialize(path.read_bytes())
    }


def fill_jobs(jobs: list[tuple[Any, ...]], threads: int, isa: int) -> None:
    """Run jobs of the core: (law, parameters, key, dtype, address, axes, streaming) each."""
    at_once = _core.Jobs(isa)
    for law, parameters, key, dtype, *where in jobs:
        at_once.add(_core.Law(law, dtype, parameters), key, *where)
    at_once.run(threads)


Kernel = Callable[..., np.ndarray]


@pytest.fixture(params=range(len(ISAS)), ids=ISAS)
def kernel(request: pytest.FixtureRequest) -> Kernel:
    """fill(law, parameters, key, dtype, index, count) -> bits, on one instruction set; checks its edges too."""

    def fill(
        law: str,
        parameters: tuple[float, ...],
        key: bytes,
        dtype: str,
        index: int,
        count: int,
        *,
        offset: int = 0,
        streaming: bool = False,
        threads: int = 1,
    ) -> np.ndarray:
        bits = np.dtype(BITS[dtype])
        guard = 64 // bits.itemsize
        room = np.full(count + 3 * guard + offset, 0xA5A5A5A5A5A5A5A5 & (256**bits.itemsize - 1), bits)
        start = -room.ctypes.data % 64 // bits.itemsize + guard + offset
        axes = ((count, 1, bits.itemsize, ((0, index),)),)
        address = room.ctypes.data + start * bits.itemsize
        if count:
            fill_jobs([(law, parameters, key, dtype, address, axes, streaming)], threads, request.param)
        outside = np.concatenate([room[:start], room[start + count :]])
        assert (outside == room[0]).all(), "written outside the target"
        return room[start : start + count].copy()

    return fill


KILLED_AT = """
import os, signal, sys
calls = 0
def counted(real):
    def call(*arguments, **options):
        global calls
        calls += 1
        if calls == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)
    return call
def count(*names):
    for name in names:
        setattr(os, name, counted(getattr(os, name)))
"""
"""The start of a program that ends at the system call of the number of its third argument; `count` names the calls."""


def example_of(scheme: Scheme) -> dict[str, Any]:
    """The arguments of a scheme's own example."""
    arguments: dict[str, Any] = eval(
        f"(lambda shape, **numbers: dict(numbers, shape=shape))({scheme.example})"
    )
    return arguments


def optional(module: str) -> Any:
    if os.environ.get("FASTINIT_REQUIRE_OPTIONAL"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as importorskip does
            return importlib.import_module(module)
    return pytest.importorskip(module, exc_type=ImportError)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The text of the GPU's kernels, built for the host."""
    return cuda_stand_in.build(tmp_path_factory.mktemp("cuda"))


@pytest.fixture
def gpu(library: ctypes.CDLL) -> Iterator[HostDriver]:
    """Stand-in devices 0 and 1, whose streams are 7 and 9."""
    with cuda_stand_in.devices(library) as stand_in:
        stand_in.streams |= {7: 0, 9: 1}
        yield stand_in


@pytest.fixture
def on_gpu(gpu: HostDriver, monkeypatch: pytest.MonkeyPatch) -> HostDriver:
    """torch's CPU tensors pass for those of device 0, whose current stream is 7."""
    optional("torch")
    from fastinit.torch import sharded, tensors

    for module in (tensors, sharded):
        monkeypatch.setattr(module, "gpu_of", lambda tensor: cuda.Place(0, 7))
    return gpu


@pytest.fixture
def seeded() -> None:
    """torch's own generator begins anew."""
    optional("torch").manual_seed(0)


SMALL = {
    "dtype": "float32",
    "tied": {"head.weight": "wte.weight"},
    "parameters": {
        "wte.weight": {"shape": [50, 16], "module": "Embedding"},
        "h.0.c_fc.weight": {"shape": [16, 64], "module": "Conv1D"},
        "h.0.c_proj.weight": {"shape": [64, 16], "module": "Conv1D"},
        "h.0.ln_1.weight": {"shape": [16], "module": "LayerNorm", "dtype": "bfloat16"},
        "h.0.ln_1.bias": {"shape": [16], "module": "LayerNorm"},
        "h.1.c_fc.weight": {"shape": [16, 64], "module": "Conv1D", "dtype": "float16"},
        "h.1.c_proj.weight": {"shape": [64, 16], "module": "Conv1D", "dtype": "float64"},
        "bias": {"shape": [], "module": "", "dtype": "float32"},
        "h.1.ln_1.weight": {"shape": [16], "module": "LayerNorm", "dtype": "float8_e4m3fn"},
        "h.1.attn.weight": {"shape": [16, 64], "module": "Conv1D", "dtype": "float8_e5m2"},
        "empty.weight": {"shape": [0, 3]},
    },
}
"""A model file of every dtype."""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(SMALL))
    return path


_MODEL = {
    "parameters": {
        "wte.weight": {"shape": [50, 16], "module": "Embedding"},
        "h.0.c_fc.weight": {"shape": [16, 64], "module": "Conv1D"},
        "h.0.ln_1.weight": {"shape": [16], "module": "LayerNorm", "dtype": "bfloat16"},
        "h.0.ln_1.bias": {"shape": [16], "module": "LayerNorm"},
        "h.1.c_fc.weight": [16, 64],
    },
    "tied": {"head.weight": "wte.weight"},
}
Run = Callable[..., str]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a model."""
    monkeypatch.chdir(tmp_path)
    Path("model.json").write_text(json.dumps(_MODEL))
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a line, look at its exit status, and return what it says."""

    def said(line: str, status: int = 0) -> str:
        capsys.readouterr()
        assert cli.main(shlex.split(line)) == status, line
        captured = capsys.readouterr()
        if status in (0, 3):
            assert captured.err == ""
            return captured.out
        assert captured.out == "" and captured.err.startswith("fastinit: error: ")
        return captured.err.removeprefix("fastinit: error: ").rstrip("\n")

    return said


@pytest.fixture(scope="session", params=["kept", "built"])
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> webassembly.Answers:
    """Answers to calls of the binding, by the module of the repository and by one from this csrc."""
    if request.param == "kept":
        module = webassembly.EXPLORER / "kernels.wasm"
    else:
        module = webassembly.build(tmp_path_factory.mktemp("wasm") / "kernels.wasm")
    return lambda calls: webassembly.run(module, calls)
