"""The networks in PyTorch: inputs and the items that follow them give a loss; a model for NumPy comes out.

SASRec: Kang and McAuley, "Self-Attentive Sequential Recommendation" (2018), with normalisation before each layer.
BERT4Rec: Sun et al., "BERT4Rec: Sequential Recommendation with Bidirectional Encoder Representations from
Transformer" (2019). The factorization machine: Rendle, "Factorization Machines" (2010), over a history in its order
and the item that follows it.

The loss of all three is the cross-entropy over all items, not the first paper's one sampled negative: Klenitskiy and
Vasilev, "Turning Dross Into Gold Loss: is BERT4Rec really better than SASRec?" (2023). With drawn negatives it is
estimated, as in Jean et al., "On Using Very Large Target Vocabulary for Neural Machine Translation" (2015).
"""

import math
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from millrace.recommend.attention import LAYER, AttentionModel
from millrace.recommend.factorization_machine import MachineModel
from millrace.recommend.links import age_weights
from millrace.recommend.top_items import Recommender


def cross_entropy(
    states: torch.Tensor,
    after: torch.Tensor,
    items: torch.Tensor,
    bias: torch.Tensor | None = None,
    drawn: torch.Tensor | None = None,
) -> torch.Tensor:
    """The mean over (n, d) states of -log softmax at the (n,) items `after`; (m,) `drawn` ones stand for all others."""
    if drawn is None:
        scores = states @ items.T
        return functional.cross_entropy(scores if bias is None else scores + bias, after)
    own = (states * items[after]).sum(dim=1, keepdim=True)
    # Each drawn item speaks for as many as it was drawn from.
    others = states @ items[drawn].T + math.log((len(items) - 1) / len(drawn))
    if bias is not None:
        own, others = own + bias[after, None], others + bias[drawn]
    others = others.masked_fill(drawn[None, :] == after[:, None], -torch.inf)
    return functional.cross_entropy(torch.cat([own, others], dim=1), torch.zeros_like(after))


class Block(nn.Module):
    """A layer: attention and two linear maps, each after a norm and added to its input."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, nn.Dropout(dropout)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, state: torch.Tensor, seen: torch.Tensor | None) -> torch.Tensor:
        """`seen`: (users, l), the places that all may look at; None lets each look at itself and what came before."""
        users, length, width = state.shape
        parts = self.qkv(self.norm1(state)).view(users, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        drop = self.dropout.p if self.training else 0.0
        allowed = None if seen is None else seen[:, None, None, :]
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=allowed, is_causal=seen is None, dropout_p=drop
        )
        state = state + self.dropout(self.out(mixed.transpose(1, 2).reshape(users, length, width)))
        return state + self.dropout(self.down(functional.relu(self.up(self.norm2(state)))))


class SasRec(nn.Module):
    """(users, l) items, oldest first, give (users, l, width) states; `scores` of all items are products with them."""

    masks = 0  # rows of `items` and of `places` beside those of real items

    def __init__(self, items: int, *, width: int, heads: int, layers: int, depth: int, dropout: float):
        super().__init__()
        self.count, self.heads = items, heads
        self.items, self.places = nn.Embedding(items + self.masks, width), nn.Embedding(depth + self.masks, width)
        self.dropout, self.norm = nn.Dropout(dropout), nn.LayerNorm(width)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        for weights in (self.items.weight, self.places.weight):
            nn.init.normal_(weights, std=0.02)

    def states(self, inputs: torch.Tensor, seen: torch.Tensor | None = None) -> torch.Tensor:
        state = self.items(inputs) * self.items.embedding_dim**0.5 + self.places.weight[: inputs.shape[1]]
        state = self.dropout(state)
        for block in self.blocks:
            state = block(state, seen)
        return self.norm(state)

    def scores(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.states(inputs)[:, -1] @ self.items.weight.T

    def forward(self, inputs: torch.Tensor, targets: torch.Tensor, drawn: torch.Tensor | None = None) -> torch.Tensor:
        """The loss of the targets; those of -1 are none."""
        real = targets >= 0
        return cross_entropy(self.states(inputs)[real], targets[real], self.items.weight, drawn=drawn)

    def model(self, popular: np.ndarray) -> Recommender:
        """float32, by the names of recommend.attention; every layer's arrays are stacked."""
        tensors = {"factors": self.items.weight[: self.count], "places": self.places.weight}
        tensors |= {"norm_scale": self.norm.weight, "norm_shift": self.norm.bias}
        tensors |= {"mask": self.items.weight[self.count]} if self.masks else {}
        for name in LAYER:
            part, _, kind = name.rpartition("_")
            kind = {"scale": "weight", "shift": "bias"}.get(kind, kind)
            tensors[name] = torch.stack([getattr(getattr(block, part), kind) for block in self.blocks])
        weights = {name: tensor.detach().numpy().astype(np.float32) for name, tensor in tensors.items()}
        return AttentionModel(weights | {"heads": np.array([self.heads])}, popular)


class Bert4Rec(SasRec):
    """Each place looks at all others; items are hidden by a mask and guessed. The mask at the end asks for the next."""

    masks = 1
    HIDDEN, ENDS = 0.2, 0.5  # the share of items that is hidden; how often the last one alone is, as when it is asked

    def scores(self, inputs: torch.Tensor) -> torch.Tensor:
        asked = torch.cat([inputs, torch.full((len(inputs), 1), self.count)], dim=1)
        return self.states(asked, torch.ones_like(asked, dtype=torch.bool))[:, -1] @ self.items.weight[: self.count].T

    def forward(self, inputs: torch.Tensor, targets: torch.Tensor, drawn: torch.Tensor | None = None) -> torch.Tensor:
        whole = torch.cat([inputs[:, :1], targets], dim=1)
        real = whole >= 0
        last = real.sum(dim=1, keepdim=True) - 1
        ends = torch.arange(whole.shape[1])[None, :] == last
        some = (torch.rand(whole.shape) < self.HIDDEN) & real
        alone = (torch.rand(len(whole), 1) < self.ENDS) | ~some.any(dim=1, keepdim=True)
        hidden = torch.where(alone, ends, some)
        states = self.states(whole.clamp(min=0).masked_fill(hidden, self.count), real)
        return cross_entropy(states[hidden], whole[hidden], self.items.weight[: self.count], drawn=drawn)


class FactorizationMachine(nn.Module):
    """The items of a history weigh (1 + age) to the power -`power`, as in the linked models."""

    def __init__(self, items: int, *, width: int, depth: int, dropout: float, power: float = 1.0, **_: Any):
        super().__init__()
        self.items, self.before = nn.Embedding(items, width), nn.Embedding(items, width)
        self.bias, self.dropout = nn.Parameter(torch.zeros(items)), nn.Dropout(dropout)
        for weights in (self.items.weight, self.before.weight):
            nn.init.normal_(weights, std=0.1)
        self.register_buffer("by_age", torch.from_numpy(age_weights(power, depth)))

    def states(self, inputs: torch.Tensor) -> torch.Tensor:
        length = inputs.shape[1]
        age = torch.arange(length)[:, None] - torch.arange(length)[None, :]
        weights = torch.where(age >= 0, self.by_age[age.clamp(min=0)], 0.0)
        return self.dropout(weights @ self.before(inputs))

    def scores(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.states(inputs)[:, -1] @ self.items.weight.T + self.bias

    def forward(self, inputs: torch.Tensor, targets: torch.Tensor, drawn: torch.Tensor | None = None) -> torch.Tensor:
        real = targets >= 0
        return cross_entropy(self.states(inputs)[real], targets[real], self.items.weight, self.bias, drawn)

    def model(self, popular: np.ndarray) -> Recommender:
        tensors = {"factors": self.items.weight, "before": self.before.weight, "bias": self.bias, "by_age": self.by_age}
        return MachineModel(
            {name: tensor.detach().numpy().astype(np.float32) for name, tensor in tensors.items()}, popular
        )


NETWORKS = {"sasrec": SasRec, "bert4rec": Bert4Rec, "fm": FactorizationMachine}
