"""The recipes of docs/clusters.md run; with Dask and Ray where they are installed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT

import fastinit as fi
from fastinit import checkpoints

pytestmark = pytest.mark.filterwarnings("ignore")


def recipe(name: str) -> dict[str, Any]:
    page = (ROOT / "docs" / "clusters.md").read_text()
    block = re.search(rf"<!-- {name} -->\n```python\n(.*?)```", page, re.DOTALL)
    assert block is not None
    names: dict[str, Any] = {}
    exec(block[1], names)
    return names


def test_dask() -> None:
    pytest.importorskip("dask.array")
    names = recipe("dask")
    whole = fi.normal((4096, 1024), std=0.02, seed=0, name="mlp.up.weight")
    assert np.array_equal(names["weight"].compute(), whole)
    again = names["normal"]((4096, 1024), (512, -1), seed=0, name="mlp.up.weight", std=0.02)
    assert np.array_equal(again[700:702].compute(), whole[700:702])


def test_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")
    monkeypatch.chdir(ROOT)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        names = recipe("ray")
        assert names["write_all"](str(tmp_path / "tasks")) == names["plan"].nbytes
    finally:
        ray.shutdown()
    checkpoints.write(names["plan"], tmp_path / "alone", seed=0, max_shard_size="100MB")
    files = sorted(path.name for path in (tmp_path / "alone").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "tasks").iterdir()) and len(files) > 4
    for name in files:
        assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "tasks" / name).read_bytes(), name
