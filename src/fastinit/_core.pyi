from typing import Any

LAWS: tuple[str, ...]
DTYPES: tuple[str, ...]
FORMATS: dict[str, tuple[int, int]]
MAX_THREADS: int
BINS: int
PHILOX: dict[str, Any]

def address(array: object) -> int: ...
def available_isas() -> tuple[str, ...]: ...
def check(law: str, dtype: str, parameters: tuple[float, ...]) -> None: ...
def law_argument(law: str, dtype: str, parameters: tuple[float, ...]) -> tuple[str, bool, bytes]: ...
def stream_argument(key: bytes, c1: int) -> tuple[bytes, bytes]: ...
def prepare(law: str, dtype: str, parameters: tuple[float, ...]) -> dict[str, Any]: ...
def coefficients() -> dict[str, Any]: ...
def fill(
    law: str,
    parameters: tuple[float, ...],
    key: bytes,
    dtype: str,
    address: int,
    axes: tuple[tuple[int, int, int, tuple[tuple[int, int], ...]], ...],
    threads: int,
    streaming: bool,
    isa: int,
) -> None: ...
def xla_handler() -> object: ...
def read_dlpack(capsule: object) -> tuple[int, tuple[int, ...], tuple[int, ...], int, int, int, bool]: ...
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
