"""torch.nn: every module that has parameters or buffers, with each argument that changes them; torch.nn.init; parametrisations."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune
from torch_model import check, prepare

PACKAGE = "torch"
SAMPLE = [
    "Linear(8, 12)", "Conv2d(8, 16, 3, groups=4)", "LSTM(8, 12, proj_size=6)", "MultiheadAttention(16, 4)",
    "BatchNorm2d(16)", "Embedding(50, 16, padding_idx=3)", "weight_norm", "init.orthogonal_(gain=1.5)",
]  # fmt: skip
# Arguments of a module, and of each other argument that changes its parameters the values that are tried, one at a time.
MODULES: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "Linear": ((8, 12), {"bias": False, "dtype": [torch.float64, torch.bfloat16, torch.float16]}),
    "Bilinear": ((6, 5, 8), {"bias": False}),
    **{
        f"Conv{d}d": ((8, 16, 3), {"bias": False, "groups": [4, 8], "stride": 2, "padding": 1, "dilation": 2, "padding_mode": "circular"})
        for d in (1, 2, 3)
    },
    **{
        f"ConvTranspose{d}d": ((8, 16, 4), {"bias": False, "groups": [4, 8], "stride": 2, "output_padding": 0})
        for d in (1, 2, 3)
    },
    "RNN": ((8, 12), {"num_layers": 2, "bias": False, "bidirectional": True, "nonlinearity": "relu"}),
    "LSTM": ((8, 12), {"num_layers": 2, "bias": False, "bidirectional": True, "proj_size": 6}),
    "GRU": ((8, 12), {"num_layers": 2, "bias": False, "bidirectional": True}),
    "RNNCell": ((8, 12), {"bias": False, "nonlinearity": "relu"}),
    "LSTMCell": ((8, 12), {"bias": False}),
    "GRUCell": ((8, 12), {"bias": False}),
    "MultiheadAttention": ((16, 4), {"bias": False, "add_bias_kv": True, "add_zero_attn": True, "kdim": 12, "vdim": 20}),
    "Transformer": ((16, 4, 1, 1, 24), {"bias": False, "norm_first": True, "activation": "gelu"}),
    "TransformerEncoderLayer": ((16, 4, 24), {"bias": False, "norm_first": True}),
    "TransformerDecoderLayer": ((16, 4, 24), {"bias": False, "norm_first": True}),
    "Embedding": ((50, 16), {"padding_idx": [3, -1], "max_norm": 1.0, "sparse": True, "scale_grad_by_freq": True}),
    "EmbeddingBag": ((50, 16), {"padding_idx": 3, "mode": "max", "max_norm": 1.0}),
    "AdaptiveLogSoftmaxWithLoss": ((16, 60, [10, 30]), {"head_bias": True, "div_value": 2.0}),
    "PReLU": ((), {"num_parameters": 8, "init": 0.1}),
    **{
        f"{kind}{d}d": ((16,), {"affine": flip, "track_running_stats": not track, "eps": 1e-3, "momentum": None})
        for d in (1, 2, 3)
        for kind, flip, track in (("BatchNorm", False, True), ("InstanceNorm", True, False))
    },
    "SyncBatchNorm": ((16,), {"affine": False, "track_running_stats": False}),
    "LayerNorm": (((4, 16),), {"elementwise_affine": False, "bias": False}),
    "GroupNorm": ((4, 16), {"affine": False}),
    "RMSNorm": ((16,), {"elementwise_affine": False}),
    "CrossEntropyLoss": ((), {"weight": torch.linspace(0, 1, 5)}),
    "NLLLoss": ((), {"weight": torch.ones(5)}),
    "BCELoss": ((), {"weight": torch.ones(5)}),
    "BCEWithLogitsLoss": ((), {"weight": torch.ones(5), "pos_weight": torch.full((5,), 3.0)}),
    "MultiMarginLoss": ((), {"weight": torch.ones(5)}),
    "MultiLabelSoftMarginLoss": ((), {"weight": torch.ones(5)}),
}  # fmt: skip
INITIALISERS: dict[str, list[dict[str, Any]]] = {
    "uniform_": [{}, {"a": -0.1, "b": 0.2}],
    "normal_": [{}, {"mean": 0.5, "std": 0.1}],
    "trunc_normal_": [{}, {"std": 0.02}, {"a": -1.0, "b": 2.0}, {"mean": 3.0}],
    "constant_": [{"val": 0.3}],
    "ones_": [{}],
    "zeros_": [{}],
    "eye_": [{}],
    "dirac_": [{}, {"groups": 2}],
    "xavier_uniform_": [{}, {"gain": 2.0}],
    "xavier_normal_": [{}, {"gain": 2.0}],
    "kaiming_uniform_": [{}, {"a": 5**0.5}, {"mode": "fan_out", "nonlinearity": "relu"}],
    "kaiming_normal_": [{}, {"mode": "fan_out", "nonlinearity": "relu"}, {"nonlinearity": "tanh"}],
    "orthogonal_": [{}, {"gain": 1.5}],
    "sparse_": [{"sparsity": 0.5}, {"sparsity": 0.1, "std": 1.0}],
}


def cases() -> dict[str, Callable[[], None]]:
    prepare()
    factories = {**_modules(), **_lazy(), **_initialisers(), **_parametrised(), **_composed()}
    return {name: partial(check, factory) for name, factory in factories.items()}


def _modules() -> dict[str, Callable[[], nn.Module]]:
    made: dict[str, Callable[[], nn.Module]] = {}
    for kind, (args, others) in MODULES.items():
        module = getattr(nn, kind)
        shown = ", ".join(map(repr, args))
        made[f"{kind}({shown})"] = partial(module, *args)
        single = [
            (key, value)
            for key, held in others.items()
            for value in (held if isinstance(held, list) else [held])
        ]
        pairs = [[one] for one in single]
        pairs += [[a, b] for a, b in itertools.combinations(single, 2) if a[1] is False or b[1] is True]
        for chosen in pairs:
            numbers = dict(chosen)
            words = [
                f"{key}={'given' if isinstance(value, Tensor) else value}" for key, value in numbers.items()
            ]
            text = ", ".join([*([shown] if shown else []), *words])
            made.setdefault(f"{kind}({text})", partial(module, *args, **numbers))
    made["Embedding.from_pretrained"] = lambda: nn.Embedding.from_pretrained(
        torch.arange(80.0).view(20, 4), freeze=False
    )
    made["EmbeddingBag.from_pretrained"] = lambda: nn.EmbeddingBag.from_pretrained(
        torch.arange(80.0).view(20, 4)
    )
    made["TransformerEncoder"] = lambda: nn.TransformerEncoder(
        nn.TransformerEncoderLayer(16, 4, 24), 2, norm=nn.LayerNorm(16)
    )
    made["TransformerDecoder"] = lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(16, 4, 24), 2)
    made["ParameterList"] = lambda: nn.ParameterList([torch.randn(8, 8), torch.zeros(8)])
    made["ParameterDict"] = lambda: nn.ParameterDict({"a": torch.randn(8, 8), "b": torch.ones(8)})
    return made


def _lazy() -> dict[str, Callable[[], nn.Module]]:
    """Modules that take their shapes from a first batch."""
    made: dict[str, Callable[[], nn.Module]] = {}

    def run(module: Callable[..., nn.Module], args: tuple[int, ...], shape: tuple[int, ...]) -> nn.Module:
        lazy = module(*args)
        lazy(torch.zeros(shape))
        return lazy

    made["LazyLinear(12)"] = partial(run, nn.LazyLinear, (12,), (2, 8))
    made["LazyLinear(12), never run"] = lambda: nn.LazyLinear(12)
    for d in (1, 2, 3):
        shape = (2, 4, *[9] * d)
        for kind in ("Conv", "ConvTranspose"):
            made[f"Lazy{kind}{d}d(8, 3)"] = partial(run, getattr(nn, f"Lazy{kind}{d}d"), (8, 3), shape)
        for kind in ("BatchNorm", "InstanceNorm"):
            made[f"Lazy{kind}{d}d()"] = partial(run, getattr(nn, f"Lazy{kind}{d}d"), (), shape)
    return made


def _initialisers() -> dict[str, Callable[[], nn.Module]]:
    made: dict[str, Callable[[], nn.Module]] = {}

    def layer(name: str, numbers: dict[str, Any], shape: tuple[int, ...]) -> nn.Module:
        module = nn.Module()
        module.weight = nn.Parameter(torch.empty(shape))
        getattr(nn.init, name)(module.weight, **numbers)
        return module

    for name, several in INITIALISERS.items():
        shapes = (
            [(24, 16)]
            if name in ("eye_", "sparse_")
            else [(16, 8, 3)]
            if name == "dirac_"
            else [(24, 16), (16, 8, 3)]
        )
        for numbers, shape in itertools.product(several, shapes):
            text = ", ".join([f"{key}={value}" for key, value in numbers.items()])
            shown = f"init.{name}({text})" + (f" of {shape}" if shape != shapes[0] else "")
            made[shown] = partial(layer, name, numbers, shape)
    return made


class _Symmetric(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.triu() + x.triu(1).T


def _parametrised() -> dict[str, Callable[[], nn.Module]]:
    old, register = nn.utils, nn.utils.parametrize.register_parametrization
    weight_norm, spectral_norm, orthogonal = (
        parametrizations.weight_norm, parametrizations.spectral_norm, parametrizations.orthogonal
    )  # fmt: skip
    return {
        "weight_norm": lambda: weight_norm(nn.Linear(12, 16)),
        "weight_norm(dim=1)": lambda: weight_norm(nn.Linear(12, 16), dim=1),
        "weight_norm(dim=None)": lambda: weight_norm(nn.Linear(12, 16), dim=None),
        "weight_norm of a convolution": lambda: weight_norm(nn.Conv1d(12, 16, 3)),
        "weight_norm of a transposed convolution": lambda: weight_norm(nn.ConvTranspose1d(12, 16, 3)),
        "weight_norm, by hooks": lambda: old.weight_norm(nn.Linear(12, 16)),
        "weight_norm, by hooks, dim=None": lambda: old.weight_norm(nn.Linear(12, 16), dim=None),
        "weight_norm, by hooks, removed": lambda: old.remove_weight_norm(old.weight_norm(nn.Linear(12, 16))),
        "spectral_norm": lambda: spectral_norm(nn.Linear(12, 16)),
        "spectral_norm of a convolution": lambda: spectral_norm(nn.Conv2d(8, 12, 3)),
        "spectral_norm, by hooks": lambda: old.spectral_norm(nn.Linear(12, 16)),
        "orthogonal": lambda: orthogonal(nn.Linear(12, 12)),
        "orthogonal(orthogonal_map='cayley')": lambda: orthogonal(nn.Linear(12, 12), orthogonal_map="cayley"),
        "orthogonal(orthogonal_map='householder')": lambda: orthogonal(
            nn.Linear(12, 16), orthogonal_map="householder"
        ),
        "orthogonal(use_trivialization=False)": lambda: orthogonal(
            nn.Linear(12, 12), use_trivialization=False
        ),
        "a parametrisation of one's own": lambda: register(nn.Linear(12, 12), "weight", _Symmetric()),
        "prune.identity": lambda: prune.identity(nn.Linear(12, 16), "weight"),
        "prune.random_unstructured": lambda: prune.random_unstructured(nn.Linear(12, 16), "weight", 0.3),
        "prune.l1_unstructured": lambda: prune.l1_unstructured(nn.Linear(12, 16), "weight", 0.3),
    }


def _composed() -> dict[str, Callable[[], nn.Module]]:
    def copies() -> nn.Module:
        layer = nn.Linear(12, 12)
        return nn.ModuleList(copy.deepcopy(layer) for _ in range(3))

    def tied() -> nn.Module:
        model = nn.ModuleDict({"embed": nn.Embedding(50, 12), "head": nn.Linear(12, 50, bias=False)})
        model.head.weight = model.embed.weight
        return model

    def given() -> nn.Module:
        one, two = nn.Linear(8, 8), nn.Linear(8, 8)
        nn.utils.vector_to_parameters(nn.utils.parameters_to_vector(one.parameters()), two.parameters())
        return two

    def loaded() -> nn.Module:
        model = nn.Linear(12, 16)
        model.load_state_dict(nn.Linear(12, 16).state_dict())
        return model

    norm = nn.utils.fusion.fuse_conv_bn_eval
    return {
        "deep copies": copies,
        "tied": tied,
        "vector_to_parameters": given,
        "load_state_dict": loaded,
        "bfloat16": lambda: nn.Sequential(nn.Linear(12, 16), nn.BatchNorm1d(16)).to(torch.bfloat16),
        "float8": lambda: nn.Linear(12, 16).to(torch.float8_e4m3fn),
        "complex": lambda: nn.Linear(12, 16, dtype=torch.complex64),
        "skip_init": lambda: nn.utils.skip_init(nn.Linear, 12, 16),
        "torch.compile": lambda: torch.compile(nn.Linear(12, 16)),
        "fuse_conv_bn_eval": lambda: norm(nn.Conv2d(4, 8, 3).eval(), nn.BatchNorm2d(8).eval()),
    }
