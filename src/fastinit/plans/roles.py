"""The role of each parameter of a model: by what the model's own modules say, or by names and types of modules.

What a role gets when a whole model is initialised is in one table, the recipe ``recipes/default.toml``. A role without a rule
there, and a parameter without a role, is an error that names it, until a rule of the caller's speaks of it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from .model import TensorSpec

# In words, as plans and errors call them.
ROLES = {
    "weight": "a weight",
    "conv": "a convolution's weight",
    "recurrent": "a recurrent weight",
    "output": "an embedding that is also the output's weight",
    "embedding": "an embedding",
    "position": "a table of positions",
    "token": "a learned token",
    "bias": "a bias",
    "forget_bias": "a bias with a forget gate",
    "norm": "a norm's scale",
    "norm_plus_one": "a norm's scale, to which its module adds 1",
    "mean": "a running mean",
    "variance": "a running variance",
    "iteration": "the vector of a power iteration",
    "sigma": "a spectral norm's estimate",
    "slope": "PReLU's slope",
    "lora_a": "LoRA's A",
    "lora_b": "LoRA's B",
    "state_matrix": "the logarithm of a state matrix",
    "step_bias": "the bias of a state space's step",
    "skip": "a state space's skip connection",
    # The recipe "default" has no rule for these.
    "layer_scale": "a layer scale",
    "logit_scale": "a logit scale or temperature",
    "unclear": "a weight of which the inputs' and the outputs' axes are not known",
    "parametrisation": "a part of a parametrised weight",
}
WEIGHTS = ("weight", "conv", "recurrent", "output")
"""The roles for which a scheme that is chosen for a whole model is meant."""


OWN = ("", "layer_scale", "logit_scale")
"""The roles of which no theory says what they get: without a rule they keep the one value that the model's code gave them."""


class Clue(NamedTuple):
    """A role, and how it is found: ``leaf`` must match all of a name's last part, ``parent`` something in the two parts
    before it, ``module`` something in the type of the module that owns it, ``beside`` the last part of another
    parameter of the same module; ``ndim`` lists the counts of axes, and ``matrix`` asks for two that are longer than 1."""

    role: str
    leaf: str = ""
    parent: str = ""
    module: str = ""
    ndim: tuple[int, ...] = ()
    beside: str = ""
    geometry: Mapping[str, Any] = {}
    matrix: bool = False

    def fits(
        self, leaf: str, parent: str, module: str, ndim: int, matrix: bool, beside: frozenset[str]
    ) -> bool:
        return (
            (not self.ndim or ndim in self.ndim)
            and (matrix or not self.matrix)
            and (not self.leaf or re.fullmatch(self.leaf, leaf) is not None)
            and (not self.parent or re.search(self.parent, parent) is not None)
            and (not self.module or re.search(self.module, module) is not None)
            and (not self.beside or any(re.fullmatch(self.beside, other) for other in beside))
        )


_NORM = r"(?i)norm[^.]*$|(^|[._])(ln|bn|gn)(_?\d+|_[a-z]+)?$"  # of the last part before the leaf
_SCALE = "weight|scale|gamma|g"
_WEIGHT = r"(\w*_)?(weight|kernel|filter|w)(_\w+)?|W\w*|w\d*"
_KERNEL = r"(\w+_)?(weight|kernel)"
_POSITION = (
    r"(?i)(^|[._])(?![^.]*(linear|proj))([^.]*position[^.]*|pos(_[^.]*)?|wpe|relative_attention_bias)$"
)
_EMBEDDING = r"(?i)(^|\.)(?![^.]*(map|proj|linear|out))([^.]*embed[^.]*|embed_tokens\.\d+|wte|shared)$"
# Names of what is not a weight, whatever its shape.
_OTHERWISE = (
    r"(?i).*(mask|freqs?|codebook|anchors?|prototypes?|templates?|query|queries|table|memory|decay|mixing|scale|gamma|log|"
    r"mean|std|var|centers?)|sin|cos|mu|time_\w+|inv_\w+"
)
# Those of response normalisations scale a branch beside a shortcut of their own.
_ADDS_1 = (
    "GRN|GlobalResponseNorm|^(Gemma[23]?|RecurrentGemma|VaultGemma|T5Gemma2?|Qwen3Next|Qwen3_5(Moe)?)RMSNorm$"
)
# Names that say what they are, whatever module owns them. The first that fits counts; "" is a role that is not known.
TELLING = (
    Clue("parametrisation", r"weight_[guv]|weight_orig|original\d*"),
    Clue("lora_b", parent=r"(^|\.)lora_embedding_A$"),
    Clue("lora_a", parent=r"(^|\.)lora_embedding_B$"),
    Clue("lora_a", parent=r"(^|\.)lora_A(\.\w+)?$"),
    Clue("lora_b", parent=r"(^|\.)lora_B(\.\w+)?$"),
    Clue("lora_a", r"lora_(\w+_)?a"),  # of nnx and Keras
    Clue("lora_b", r"lora_(\w+_)?b"),
    Clue("", r"lora_\w+|ia3_\w+"),
    Clue("", parent=r"(^|\.)(lora|ia3|oft|hada|vera)_\w+(\.\w+)?$"),
    Clue("state_matrix", "A_log", ndim=(2,)),
    Clue("step_bias", "dt_bias"),
    Clue("step_bias", "bias", parent=r"(^|\.)dt_proj$"),
    Clue("skip", "D", ndim=(1,), beside="A_log"),
)
# Where those say nothing.
CLUES = (
    # Raw parameters.
    Clue("logit_scale", r"(\w*_)?(logit_?scale|logit_?bias|temperatures?|temp|tau)(_\w+)?"),
    Clue("layer_scale", r"(layer|res)_?scale\w*|ls_?\d*|lambda_?\d*|gamma_?\d+|\w+_scale_parameter"),
    Clue("layer_scale", "gamma|scale|lambda_?1|weight", parent=r"(?i)layer_?scale[^.]*$|(^|\.)ls_?\d*$"),
    Clue("layer_scale", "gamma|scale|weight", module="LayerScale"),
    Clue("position", r"(\w*_)?(pos|positions?|positional)_?(embed|emb|encoding|table)\w*"),
    Clue("position", r"(rel|relative)_?(pos|position)\w*|attention_biases|w[tp]pe|pos"),
    Clue(
        "token", r"(\w*_)?tokens?(_\w+)?|cls|class_embedding|masked_spec_embed|mask_emb\w*", ndim=(1, 2, 3, 4)
    ),
    # Modules whose type says it.
    Clue("bias", "bias|beta|b", module="(?i)norm"),
    Clue("mean", "running_mean|moving_mean|mean", module="(?i)norm"),
    Clue("variance", "running_var|moving_variance|var", module="(?i)norm"),
    Clue("norm_plus_one", _SCALE, module=_ADDS_1),
    Clue("norm_plus_one", _SCALE, parent=r"(^|\.)grn$"),
    Clue("norm", _SCALE, module="(?i)norm"),
    Clue("", module="(?i)norm"),
    Clue("slope", "weight|alpha|negative_slope", module="PReLU"),
    Clue("embedding", "weight|embeddings?", module="^Embed(ding)?(Bag)?$"),
    Clue("bias", r"(\w*_)?bias(_\w+)?"),
    Clue("conv", _KERNEL, module="Conv.*Transpose", geometry={"transposed": True}),
    # GPT-2's in transformers is a linear layer.
    Clue("weight", "weight", module="^Conv1D$", ndim=(2,), geometry={"layout": "io"}),
    Clue("recurrent", r"weight_hh\w*|recurrent_kernel", module="LSTM|GRU|RNN|Cell"),
    Clue("conv", _KERNEL, module="Conv"),
    Clue("weight", _KERNEL + r"(_\w+)?", module="Linear|Dense|Einsum|LSTM|GRU|RNN|Cell"),
    # Only names.
    Clue("mean", "running_mean|moving_mean", ndim=(1,)),
    Clue("variance", "running_var|moving_variance", ndim=(1,)),
    Clue("mean", "mean", ndim=(1,), beside="var"),
    Clue("variance", "var", ndim=(1,), beside="mean"),
    Clue("norm", _SCALE, parent=_NORM),
    Clue("norm", r"\w*norm\d?_(weight|scale|gamma)"),
    Clue("norm", "gamma", ndim=(1,), beside="beta"),
    Clue("norm", "weight|scale", ndim=(1,), beside="bias|running_mean"),
    Clue("bias", "beta", ndim=(1,), parent=_NORM),
    Clue("bias", "beta", ndim=(1,), beside="gamma"),
    Clue("bias", r"b\d*|b_\w+", ndim=(1,)),
    Clue("", _OTHERWISE),
    Clue("conv", _WEIGHT, ndim=(4, 5), matrix=True),
    Clue("position", "weight|embeddings?", parent=_POSITION),
    Clue("embedding", r"(\w*_)?(embed|embeddings?)|wte"),
    Clue("embedding", "weight", parent=_EMBEDDING),
    Clue("token", "weight", parent="(?i)_tokens?$"),
    Clue("recurrent", r"weight_hh\w*|recurrent_kernel"),
    Clue("", parent="(?i)expert", ndim=(3,)),  # nothing says which axis is in and which is out
    Clue("conv", _WEIGHT, ndim=(3,), matrix=True),
    Clue("weight", _WEIGHT, ndim=(2,)),
    Clue("weight", module="^$", ndim=(2,), matrix=True),  # of a module, a name must say it
)


def with_roles(tensors: Mapping[str, TensorSpec]) -> dict[str, TensorSpec]:
    """The parameters of a model, each with its role: what its name tells of itself, or else the role that it has, or else by
    the type of its module, its name and its neighbours. What is known of its axes it keeps.

    >>> specs = {"fc.weight": TensorSpec((4, 8), "float32"), "fc.bias": TensorSpec((4,), "float32")}
    >>> [spec.role for spec in with_roles(specs).values()]
    ['weight', 'bias']
    """
    beside: dict[str, set[str]] = {}
    for name in tensors:
        path, _, leaf = name.rpartition(".")
        beside.setdefault(path, set()).add(leaf)
    together = {path: frozenset(leaves) for path, leaves in beside.items()}
    result = {}
    for name, tensor in tensors.items():
        path, _, leaf = name.rpartition(".")
        parent = ".".join(path.split(".")[-2:])
        matrix = sum(size > 1 for size in tensor.shape) > 1
        seen = (leaf, parent, tensor.module, len(tensor.shape), matrix, together[path])
        clue = _clue(True, *seen) or (None if tensor.role else _clue(False, *seen))
        if clue is not None:
            tensor = replace(tensor, role=clue.role, geometry={**clue.geometry, **tensor.geometry})
        result[name] = tensor
    return result


@lru_cache(8192)
def _clue(
    telling: bool, leaf: str, parent: str, module: str, ndim: int, matrix: bool, beside: frozenset[str]
) -> Clue | None:
    clues = TELLING if telling else CLUES
    return next((clue for clue in clues if clue.fits(leaf, parent, module, ndim, matrix, beside)), None)


_CALLS = r"(?:\.\w+\([^()]*\))*"  # such as .float()


@lru_cache(1024)
def adds_one(owner: Any, attribute: str) -> bool:
    """Whether the code of a module's class computes 1 + its attribute, as Gemma's norms do: then 0 is the scale that changes
    nothing."""
    held = rf"self\.{re.escape(attribute)}\b"
    for base in owner.__mro__:
        if base.__module__.split(".")[0] in ("builtins", "torch"):
            break
        for name, function in vars(base).items():
            if not inspect.isfunction(function) or name == "__init__":
                continue
            try:
                source = inspect.getsource(function)
            except (OSError, TypeError):  # no source: its name must tell
                continue
            aliases = re.findall(rf"^\s*(\w+)\s*=\s*{held}{_CALLS}\s*$", source, re.MULTILINE)
            if any(_plus_one(rf"(?:{name}){_CALLS}").search(source) for name in [held, *_words(aliases)]):
                return True
    return False


def _words(names: Iterable[str]) -> list[str]:
    return [rf"\b{name}\b" for name in names]


def _plus_one(scale: str) -> re.Pattern[str]:
    """1 + scale as an operand or a call, and x + x * scale."""
    one = r"1(?:\.0*)?"
    forms = (
        rf"[(,=]\s*(?:{one}\s*\+\s*{scale}|{scale}\s*\+\s*{one})\s*(?:[),#]|$)",
        rf"\.add\(\s*{scale}\s*,\s*{one}\s*\)",
        rf"{scale}\.add\(\s*{one}\s*\)",
        rf"\b(?P<x>\w+)\s*\+\s*(?:(?P=x)\s*\*\s*{scale}|{scale}\s*\*\s*(?P=x)\b)",
        rf"addcmul\(\s*(?P<y>\w+)\s*,\s*(?:(?P=y)\s*,\s*{scale}|{scale}\s*,\s*(?P=y)\b)",
    )
    return re.compile("|".join(forms), re.MULTILINE)
