"""Networks of plain torch, one of each common kind, as people write them."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class Siren(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(2, 64), nn.Linear(64, 64), nn.Linear(64, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.sin(30 * self.second(torch.sin(30 * self.first(x)))))


class Basic(nn.Module):
    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(n_out), nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.shortcut = nn.Conv2d(n_in, n_out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(
            self.shortcut(x) + self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        )


class DenseBlock(nn.Module):
    def __init__(self, n_in: int, growth: int, n_layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(n_in + i * growth),
                nn.ReLU(),
                nn.Conv2d(n_in + i * growth, growth, 3, padding=1),
            )
            for i in range(n_layers)
        )
        self.head = nn.Linear(n_in + n_layers * growth, 10)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return self.head(x.mean((2, 3)))


class SqueezeExcite(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(width, width // 4, 1), nn.Conv2d(width // 4, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.expand(functional.silu(self.reduce(x.mean((2, 3), keepdim=True)))))


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(32, 16, 2, stride=2)
        self.fuse, self.head = nn.Conv2d(32, 16, 3, padding=1), nn.Conv2d(16, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = functional.relu(self.down1(x))
        b = functional.relu(self.down2(a))
        return self.head(functional.relu(self.fuse(torch.cat([a, self.up(b)], 1))))


class Vae(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 32), nn.ReLU())
        self.mu, self.logvar = nn.Linear(32, 8), nn.Linear(32, 8)
        self.decoder = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 64))

    def forward(self, x: Tensor) -> Tensor:
        h = self.encoder(x)
        return self.decoder(self.mu(h) + torch.exp(0.5 * self.logvar(h)))


class LstmLanguageModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.lstm = nn.Embedding(100, 32), nn.LSTM(32, 48, batch_first=True)
        self.head = nn.Linear(48, 100)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(self.embed(x))[0])


class GruTagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(100, 32, padding_idx=0)
        self.gru, self.head = nn.GRU(32, 24, bidirectional=True, batch_first=True), nn.Linear(48, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.gru(self.embed(x))[0])


class Seq2Seq(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(100, 32)
        self.transformer = nn.Transformer(32, 4, 2, 2, 64, batch_first=True)
        self.head = nn.Linear(32, 100)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.transformer(self.embed(x), self.embed(x)))


class GptBlock(nn.Module):
    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc, self.act, self.out = nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        b, t, c = x.shape
        q, k, v = self.qkv(self.ln_1(x)).view(b, t, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        x = x + self.proj(
            functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, c)
        )
        return x + self.out(self.act(self.fc(self.ln_2(x))))


class Gpt(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(100, 32), nn.Embedding(16, 32)
        self.h, self.ln_f = nn.Sequential(*[GptBlock(32, 4) for _ in range(2)]), nn.LayerNorm(32)
        self.lm_head = nn.Linear(32, 100, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.lm_head(self.ln_f(self.h(self.wte(x) + self.wpe(torch.arange(x.shape[1])))))


class VisionTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(3, 32, 4, 4)
        self.cls_token, self.pos_embed = (
            nn.Parameter(torch.zeros(1, 1, 32)),
            nn.Parameter(torch.zeros(1, 65, 32)),
        )
        layer = nn.TransformerEncoderLayer(32, 4, 64, activation="gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        return self.head(self.encoder(x)[:, 0])


class MixerBlock(nn.Module):
    def __init__(self, n_tokens: int, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.tokens = nn.Sequential(nn.Linear(n_tokens, 32), nn.GELU(), nn.Linear(32, n_tokens))
        self.channels = nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm2(x))


class ActorCritic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(4, 16, 8, 4), nn.ReLU(), nn.Conv2d(16, 32, 4, 2), nn.ReLU(), nn.Flatten()
        )
        self.actor, self.critic = nn.Linear(512, 6), nn.Linear(512, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.body(x)
        return torch.cat([self.actor(h), self.critic(h)], 1)


class GraphAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin, self.att = nn.Linear(16, 32, bias=False), nn.Parameter(torch.empty(1, 4, 16))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        self.lin.reset_parameters()
        nn.init.xavier_uniform_(self.att)

    def forward(self, x: Tensor) -> Tensor:
        h = self.lin(x).view(-1, 4, 8)
        left, right = (h * self.att[..., :8]).sum(-1), (h * self.att[..., 8:]).sum(-1)
        weights = torch.softmax(functional.leaky_relu(left[:, None] + right[None], 0.2), 1)
        return torch.einsum("ijh,jhc->ihc", weights, h).flatten(1)


class TwoTowers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.users, self.items = nn.Embedding(50, 16), nn.EmbeddingBag(50, 16)
        self.mlp = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.mlp(torch.cat([self.users(x[:, 0]), self.items(x)], 1))


class Diffusion(nn.Module):
    """A denoiser's block: the step's embedding scales and shifts the features."""

    def __init__(self) -> None:
        super().__init__()
        self.time_mlp = nn.Sequential(nn.Linear(16, 64), nn.SiLU(), nn.Linear(64, 32))
        self.conv1, self.norm, self.conv2 = (
            nn.Conv2d(3, 16, 3, padding=1),
            nn.GroupNorm(4, 16),
            nn.Conv2d(16, 3, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        steps = torch.cat([torch.sin(torch.arange(8.0)), torch.cos(torch.arange(8.0))]) * math.sqrt(2)
        scale, shift = self.time_mlp(steps)[None, :, None, None].chunk(2, 1)
        return self.conv2(functional.silu(self.norm(self.conv1(x)) * (1 + scale) + shift))


class ConvNext(nn.Module):
    """A block as timm writes it: depthwise, norm, two layers, and a scale of its own."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.conv_dw, self.norm = nn.Conv2d(width, width, 7, padding=3, groups=width), nn.LayerNorm(width)
        self.fc1, self.fc2, self.gamma = (
            nn.Linear(width, 4 * width),
            nn.Linear(4 * width, width),
            nn.Parameter(1e-6 * torch.ones(width)),
        )

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(self.conv_dw(x).permute(0, 2, 3, 1))
        return x + (self.gamma * self.fc2(functional.gelu(self.fc1(h)))).permute(0, 3, 1, 2)


def mlp(widths: list[int], activation: type[nn.Module]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [nn.Linear(n_in, n_out), activation()]
    return nn.Sequential(*layers[:-1])
