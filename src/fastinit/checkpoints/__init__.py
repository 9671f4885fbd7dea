"""Checkpoints: `write` draws a plan into safetensors files, `verify` compares files with it, `checksum` sums them up, `origin` reads
their headers."""

from .checksums import checksum
from .comparison import Stored, stored, verify
from .header import Origin, origin
from .sharded import Shard, split
from .single import Summary
from .writing import write

__all__ = ["Origin", "Shard", "Stored", "Summary", "checksum", "origin", "split", "stored", "verify", "write"]
