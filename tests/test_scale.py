"""tools/simulate_cluster.py with a small model, on all of its ranks: pipeline, FSDP2, tensor and expert parallelism in one process."""

from __future__ import annotations

import pytest
from conftest import optional, program_of

optional("torch")


@pytest.mark.filterwarnings("ignore")
def test_every_rank_draws_its_share() -> None:
    simulate_cluster = program_of("tools/simulate_cluster.py")
    small = simulate_cluster.SMALL
    figures = simulate_cluster.simulate(small, range(small.ranks))
    assert figures["ranks"] == 16 and figures["tensors"] == 51
    assert figures["least"] < figures["parameters"] / 16 < figures["most"]
