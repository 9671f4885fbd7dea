"""What published code and papers draw: the shapes of each recipe's models, and the distribution of each name."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import sqrt
from typing import Any

import fastinit as fi

Shape = tuple[int, ...]
Shapes = dict[str, Shape]


def torchtitan() -> Shapes:
    shapes: Shapes = {"tok_embeddings.weight": (500, 64), "norm.weight": (64,), "output.weight": (500, 64)}
    for i in range(3):
        at = f"layers.{i}."
        shapes |= {f"{at}attention.{w}.weight": (64, 64) for w in ("wq", "wk", "wv", "wo")}
        shapes |= {f"{at}feed_forward.{w}.weight": (96, 64) for w in ("w1", "w3")}
        shapes[f"{at}feed_forward.w2.weight"] = (64, 96)
        shapes |= {f"{at}{norm}.weight": (64,) for norm in ("attention_norm", "ffn_norm")}
    return shapes


def olmo() -> Shapes:
    shapes: Shapes = {"transformer.wte.weight": (500, 64), "transformer.ff_out.weight": (500, 64)}
    for i in range(3):
        at = f"transformer.blocks.{i}."
        shapes |= {f"{at}att_proj.weight": (192, 64), f"{at}attn_out.weight": (64, 64)}
        shapes |= {f"{at}ff_proj.weight": (256, 64), f"{at}ff_out.weight": (64, 128)}
    return shapes


def fairseq(encoder: int = 3, decoder: int = 2) -> Shapes:
    shapes: Shapes = {f"{side}.embed_tokens.weight": (500, 64) for side in ("encoder", "decoder")}
    for side, count in (("encoder", encoder), ("decoder", decoder)):
        for i in range(count):
            at = f"{side}.layers.{i}."
            for attention in ("self_attn", "encoder_attn") if side == "decoder" else ("self_attn",):
                for w in ("q_proj", "k_proj", "v_proj", "out_proj"):
                    shapes |= {f"{at}{attention}.{w}.weight": (64, 64), f"{at}{attention}.{w}.bias": (64,)}
            shapes |= {f"{at}fc1.weight": (256, 64), f"{at}fc2.weight": (64, 256)}
            shapes[f"{at}final_layer_norm.weight"] = (64,)
    return shapes


def resnet(convolutions: int, norms: bool) -> Shapes:
    """torchvision's names, or those of Fixup's authors, who have no norms; stages of 3, 4, 6 and 3 blocks."""
    shapes: Shapes = {"conv1.weight": (8, 3, 7, 7), "fc.weight": (10, 64), "fc.bias": (10,)}
    shapes |= {"bn1.weight": (8,), "bn1.bias": (8,)} if norms else {"bias1": (1,), "bias2": (1,)}
    for stage, blocks in enumerate((3, 4, 6, 3), 1):
        for block in range(blocks):
            at = f"layer{stage}.{block}."
            for i in range(1, convolutions + 1):
                shapes[f"{at}conv{i}.weight"] = (8 * i, 8, 3, 3)
                if norms:
                    shapes |= {f"{at}bn{i}.weight": (8 * i,), f"{at}bn{i}.bias": (8 * i,)}
                else:
                    shapes |= {f"{at}bias{i}a": (1,), f"{at}bias{i}b": (1,)}
            if not norms:
                shapes[f"{at}scale"] = (1,)
        shapes[f"layer{stage}.0.downsample.{'0.' if norms else ''}weight"] = (16, 8, 1, 1)
    return shapes


def convnext() -> Shapes:
    """torchvision's names; norms and scales are told from weights by their axes."""
    return {
        "features.0.0.weight": (96, 3, 4, 4), "features.0.0.bias": (96,), "features.0.1.weight": (96,),
        "features.0.1.bias": (96,), "features.1.0.layer_scale": (96, 1, 1),
        "features.1.0.block.0.weight": (96, 1, 7, 7), "features.1.0.block.2.weight": (96,),
        "features.1.0.block.3.weight": (384, 96), "features.1.0.block.5.weight": (96, 384),
        "classifier.2.weight": (1000, 96), "classifier.2.bias": (1000,),
    }  # fmt: skip


def lstm() -> Shapes:
    """A language model on a torch.nn.LSTM of two layers."""
    shapes: Shapes = {"encoder.weight": (500, 32), "decoder.weight": (500, 64), "decoder.bias": (500,)}
    for layer, fed in enumerate((32, 64)):
        shapes |= {f"rnn.weight_ih_l{layer}": (256, fed), f"rnn.weight_hh_l{layer}": (256, 64)}
        shapes |= {f"rnn.bias_ih_l{layer}": (256,), f"rnn.bias_hh_l{layer}": (256,)}
    return shapes


def layer_of(name: str) -> int:
    return int(re.search(r"\.(\d+)\.", name)[1])  # type: ignore[index]


Law = Any


def residual(name: str) -> bool:
    """Whether a weight of GPT-2, Llama, BERT, T5 or ViT, as transformers names them, writes to the residual stream."""
    ends = ("c_proj", "o_proj", "down_proj", "output.dense", "mlp.fc2", "Attention.o", ".wo")
    return name.removesuffix(".weight").endswith(ends)


def of_transformer(std: Callable[[str, Shape], Law]) -> Callable[[str, Shape], Law]:
    """Norms 1, biases 0, and what else there is."""

    def law(name: str, shape: Shape) -> Law:
        if name.endswith("bias"):
            return fi.Constant(0)
        if re.search(r"(norm\d?|Norm|ln_.|layernorm_\w+)\.weight$", name):
            return fi.Constant(1)
        return std(name, shape)

    return law


def megatron(layers: int) -> Callable[[str, Shape], Law]:
    return of_transformer(lambda name, _: 0.02 / sqrt(2 * layers) if residual(name) else 0.02)


def neox(layers: int, d: int) -> Callable[[str, Shape], Law]:
    return of_transformer(lambda name, _: 2 / (layers * sqrt(d)) if residual(name) else sqrt(2 / (5 * d)))


def cut(std: float) -> fi.laws.Distribution:
    return fi.TruncatedNormal(0, std, -3 * std, 3 * std)


@of_transformer
def llama_titan(name: str, shape: Shape) -> Law:
    if name.startswith(("model.embed", "tok_embeddings")):
        return 1.0
    if name in ("lm_head.weight", "output.weight"):
        return cut(shape[1] ** -0.5)
    if any(part in name for part in ("wo.", "w2.", "w3.", "o_proj", "down_proj", "up_proj")):
        return 0.02 / sqrt(2 * (layer_of(name) + 1))
    return 0.02


@of_transformer
def mitchell(name: str, shape: Shape) -> Law:
    if "wte" in name or "embed" in name or name in ("transformer.ff_out.weight", "lm_head.weight"):
        return cut(shape[1] ** -0.5)
    if any(part in name for part in ("attn_out", "ff_out", "o_proj", "down_proj")):
        return cut(1 / sqrt(2 * shape[1] * (layer_of(name) + 1)))
    return cut(1 / sqrt(shape[1]))


@of_transformer
def t5(name: str, shape: Shape) -> Law:
    d, d_ff, heads, d_kv = 512, 2048, 8, 64
    if name == "shared.weight":
        return 1.0
    kind = name.split(".")[-2]
    stds = {"q": (d * d_kv) ** -0.5, "k": d**-0.5, "v": d**-0.5, "o": (heads * d_kv) ** -0.5}
    return (stds | {"wi": d**-0.5, "wo": d_ff**-0.5, "relative_attention_bias": d**-0.5})[kind]


def resnet_laws(last: str, features: int) -> Callable[[str, Shape], Law]:
    def law(name: str, shape: Shape) -> Law:
        if name in ("fc.bias", "classifier.1.bias", "fc.weight", "classifier.1.weight"):
            return fi.Uniform(-(features**-0.5), features**-0.5)
        if len(shape) == 4:
            return sqrt(2 / (shape[0] * shape[2] * shape[3]))
        return fi.Constant(0 if name.endswith("bias") or last in name else 1)

    return law


def xavier(shape: Shape, gain: float) -> float:
    return gain * sqrt(2 / sum(shape))


def deepnorm(layers: int) -> Callable[[str, Shape], Law]:
    scaled = ("value", "v_proj", "output.dense", "o_proj", "intermediate.dense", "_proj", "fc1", "fc2")

    def std(name: str, shape: Shape) -> Law:
        if "embed" in name and len(shape) < 4:
            return shape[-1] ** -0.5
        if len(shape) == 4:  # ViT's patches
            return sqrt(2 / ((shape[0] + shape[1]) * shape[2] * shape[3]))
        query = any(part in name for part in ("query", "key", "q_proj", "k_proj"))
        return xavier(
            shape,
            (8 * layers) ** -0.25 if not query and any(s in name for s in scaled) and "layer" in name else 1,
        )

    return of_transformer(std)


@of_transformer
def deepnorm_both(name: str, shape: Shape) -> Law:
    n, m = 3, 2
    if "embed" in name:
        return shape[1] ** -0.5
    if "q_proj" in name or "k_proj" in name:
        return xavier(shape, 1)
    return xavier(shape, 0.87 * (n**4 * m) ** (-1 / 16) if "encoder.l" in name else (12 * m) ** -0.25)


@of_transformer
def t_fixup(name: str, shape: Shape) -> Law:
    if "embed" in name:
        return shape[1] ** -0.5 * (9 * 2) ** -0.25
    encoder = 0.67 * 3**-0.25
    gain = 0.5**0.5 if re.search("[qk]_proj", name) else encoder if "encoder.l" in name else (9 * 2) ** -0.25
    bound = gain * sqrt(6 / sum(shape))
    return fi.Uniform(-bound, bound)


def fixup(last: str, power: float) -> Callable[[str, Shape], Law]:
    def law(name: str, shape: Shape) -> Law:
        if len(shape) == 4 and last not in name:
            branch = re.search(r"\.conv\d|layer\.\d\.convolution", name)
            return sqrt(2 / (shape[0] * shape[2] * shape[3])) * (16**power if branch else 1)
        one = name.endswith("scale") or "normalization.weight" in name
        return fi.Constant(1 if one else 0)

    return law


def mup(name: str, shape: Shape, d: int, layers: int) -> tuple[Law, float]:
    """Tensor Programs V, table 3, Adam: the law and the learning rate's multiplier."""
    m = d / 256
    law = of_transformer(lambda *_: None)(name, shape)
    if law is not None:
        return law, 1.0
    if name in ("lm_head.weight", "classifier.weight"):
        return 0.02 / m, 1 / m
    if any(part in name for part in ("embed", "wte", "wpe", "shared", "relative_attention_bias")):
        return 0.02, 1.0
    return 0.02 / sqrt(m) / (sqrt(2 * layers) if residual(name) else 1), 1 / m


def mamba(name: str, shape: Shape) -> Law:
    def torch_default(n: float) -> fi.laws.Distribution:
        return fi.Uniform(-(n**-0.5), n**-0.5)

    if name.endswith(("A_log", "dt_proj.bias")):
        return fi.distribution("mamba_a_log" if name.endswith("A_log") else "dt_bias", shape)
    if name.endswith(("norm.weight", "norm_f.weight", ".D")):
        return fi.Constant(1)
    if "embeddings" in name:
        return 0.02
    if "conv1d" in name:
        return torch_default(4)
    return torch_default(shape[1] * (24 if "out_proj" in name else 1))  # dt_rank is that layer's fan_in


def lstm_laws(name: str, shape: Shape) -> Law:
    if "weight_hh" in name:
        return fi.distribution("orthogonal", shape, packed=4)
    if "bias_ih" in name:
        return fi.distribution("forget_gate_bias", shape)
    if "bias" in name:
        return fi.Constant(0)
    bound = sqrt(6 / (shape[1] + shape[0] / (4 if "weight_ih" in name else 1)))
    return fi.Uniform(-0.05, 0.05) if name == "encoder.weight" else fi.Uniform(-bound, bound)


def plain(name: str, shape: Shape) -> Law:
    """Every weight N(0, .02^2)."""
    return of_transformer(lambda *_: 0.02)(name, shape)


def convnext_laws(name: str, shape: Shape) -> Law:
    if "layer_scale" in name:
        return fi.Constant(1e-6)
    return fi.Constant(0 if name.endswith("bias") else 1) if len(shape) == 1 else 0.02
