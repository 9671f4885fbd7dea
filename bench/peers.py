"""How others draw the same laws: a call each, or None where the peer or its law is missing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from timing import NORMAL, TRUNCATED, UNIFORM, best

import fastinit as fi

Draw = Callable[[], Any]


def installed(package: str) -> Any:
    """The module, or None."""
    return __import__(package) if find_spec(package) else None


def torch_module() -> Any:
    torch = installed("torch")
    if torch:
        torch.set_num_threads(fi.get_num_threads())
    return torch


@cache
def fastest_generator(method: str) -> np.random.Generator:
    """NumPy's faster one of its two fastest bit generators."""
    out = np.zeros(1 << 20, np.float32)
    generators = [np.random.Generator(bits(0)) for bits in (np.random.SFC64, np.random.PCG64DXSM)]
    return min(
        generators,
        key=lambda generator: best(lambda: getattr(generator, method)(out=out, dtype=out.dtype), during=0),
    )


def numpy_draw(law: fi.laws.Distribution, n: int) -> Draw | None:
    method = {NORMAL: "standard_normal", UNIFORM: "random"}.get(law)
    if method is None:
        return None
    out, draw = np.zeros(n, np.float32), getattr(fastest_generator(method), method)
    return lambda: draw(out=out, dtype=out.dtype)


def torch_draw(law: fi.laws.Distribution, n: int) -> Draw | None:
    torch = torch_module()
    if not torch:
        return None
    out = torch.zeros(n)
    return {
        NORMAL: out.normal_,
        UNIFORM: out.uniform_,
        TRUNCATED: lambda: torch.nn.init.trunc_normal_(out, mean=0.0, std=1.0, a=-2.0, b=2.0),
    }.get(law)


def jax_draw(law: fi.laws.Distribution, n: int) -> Draw | None:
    """Jitted, with a key that the compiler has not seen; the first call compiles."""
    jax = installed("jax")
    if not jax:
        return None
    random = jax.random
    functions = {
        NORMAL: lambda key: random.normal(key, (n,)),
        UNIFORM: lambda key: random.uniform(key, (n,)),
        TRUNCATED: lambda key: random.truncated_normal(key, -2.0, 2.0, (n,)),
    }
    keys, compiled = itertools.cycle(list(random.split(random.key(0), 64))), jax.jit(functions[law])
    return lambda: compiled(next(keys)).block_until_ready()


def torch_orthogonal(shape: tuple[int, ...]) -> Draw | None:
    torch = torch_module()
    if not torch:
        return None
    out = torch.zeros(shape)
    return lambda: torch.nn.init.orthogonal_(out)


def torch_he_normal(shape: tuple[int, ...]) -> Draw | None:
    torch = torch_module()
    return torch and (lambda: torch.nn.init.kaiming_normal_(torch.empty(shape)))


def transformers_gpt2(**sizes: int) -> Draw | None:
    if not (torch_module() and installed("transformers")):
        return None
    from transformers import GPT2Config, GPT2LMHeadModel

    return lambda: GPT2LMHeadModel(GPT2Config(**sizes))


def transformers_llama() -> Draw | None:
    """Llama 3.2's 1.2 billion parameters."""
    if not (torch_module() and installed("transformers")):
        return None
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=128256, hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32,
        num_key_value_heads=8, head_dim=64, tie_word_embeddings=True,
    )  # fmt: skip
    return lambda: LlamaForCausalLM(config)


DRAWS = {"NumPy": numpy_draw, "torch": torch_draw, "JAX": jax_draw}


def transformers_llama_8b(**sizes: int) -> Draw | None:
    """Llama 3's 8 billion parameters."""
    if not (torch_module() and installed("transformers")):
        return None
    from transformers import LlamaConfig, LlamaForCausalLM

    numbers = {
        "vocab_size": 128256, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8,
    }  # fmt: skip
    return lambda: LlamaForCausalLM(LlamaConfig(**(numbers | sizes), tie_word_embeddings=False))
