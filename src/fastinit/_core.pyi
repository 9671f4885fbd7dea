from typing import Any, TypeAlias, final

LAWS: tuple[str, ...]
DTYPES: tuple[str, ...]
FORMATS: dict[str, tuple[int, int]]
MAX_THREADS: int
STREAMING_BYTES: int
BINS: int
PHILOX: dict[str, Any]
STREAM_TAG: bytes

_Axis: TypeAlias = tuple[int, int, int, tuple[tuple[int, int], ...]]

def address(array: object) -> int: ...
def available_isas() -> tuple[str, ...]: ...
def law_argument(law: str, dtype: str, parameters: tuple[float, ...]) -> tuple[str, bool, bytes]: ...
def stream_argument(key: bytes, c1: int) -> tuple[bytes, bytes]: ...
def prepare(law: str, dtype: str, parameters: tuple[float, ...]) -> dict[str, Any]: ...
def coefficients() -> dict[str, Any]: ...
def key(seed: int, name: str) -> bytes: ...

@final
class Law:
    def __new__(cls, law: str, dtype: str, parameters: tuple[float, ...]) -> Law: ...

@final
class Jobs:
    def __new__(cls, isa: int) -> Jobs: ...
    def add(
        self,
        law: Law,
        key: bytes,
        address: int,
        axes: int | tuple[_Axis, ...],
        streaming: bool | None = None,
    ) -> None: ...
    def run(self, threads: int) -> None: ...

def draw(
    isa: int,
    law: Law,
    key: bytes,
    address: int,
    axes: int | tuple[_Axis, ...],
    threads: int,
) -> None: ...
def xla_handler(platform: str) -> object: ...
def xla_cuda_driver(functions: tuple[int, ...]) -> None: ...
def xla_cuda_kernels(name: bytes, context: int, origins: int, keyed: int) -> None: ...
def read_dlpack(capsule: object) -> tuple[int, tuple[int, ...], tuple[int, ...], int, int, int, bool]: ...
def write_dlpack(
    owner: object,
    address: int,
    shape: tuple[int, ...],
    code: int,
    bits: int,
    device_type: int,
    device: int,
) -> object: ...
def inspect(
    dtype: str,
    address: int,
    rows: int,
    row_count: int,
    word: int,
    isa: int,
    moments: int,
    counts: int,
    hashes: int,
) -> None: ...
def merge(moments: int, count: int) -> None: ...
