"""SASRec: Kang and McAuley, "Self-Attentive Sequential Recommendation" (2018), with normalisation before each layer.

The loss is the cross-entropy over all items, not the paper's one sampled negative: Klenitskiy and Vasilev, "Turning
Dross Into Gold Loss: is BERT4Rec really better than SASRec?" (2023). With drawn negatives it is estimated, as in
Jean et al., "On Using Very Large Target Vocabulary for Neural Machine Translation" (2015).
"""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from millrace.recommend.attention import LAYER


class Block(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, nn.Dropout(dropout)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        users, length, width = state.shape
        parts = self.qkv(self.norm1(state)).view(users, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        drop = self.dropout.p if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True, dropout_p=drop)
        state = state + self.dropout(self.out(mixed.transpose(1, 2).reshape(users, length, width)))
        return state + self.dropout(self.down(functional.relu(self.up(self.norm2(state)))))


class SasRec(nn.Module):
    """(users, l) items, oldest first, give (users, l, width) states; `scores` of all items are products with them."""

    def __init__(self, items: int, *, width: int, heads: int, layers: int, depth: int, dropout: float):
        super().__init__()
        self.items, self.places = nn.Embedding(items, width), nn.Embedding(depth, width)
        self.dropout, self.norm = nn.Dropout(dropout), nn.LayerNorm(width)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        for weights in (self.items.weight, self.places.weight):
            nn.init.normal_(weights, std=0.02)

    def states(self, inputs: torch.Tensor) -> torch.Tensor:
        state = self.items(inputs) * self.items.embedding_dim**0.5 + self.places.weight[: inputs.shape[1]]
        state = self.dropout(state)
        for block in self.blocks:
            state = block(state)
        return self.norm(state)

    def scores(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.states(inputs)[:, -1] @ self.items.weight.T

    def forward(self, inputs: torch.Tensor, targets: torch.Tensor, drawn: torch.Tensor | None = None) -> torch.Tensor:
        """The mean cross-entropy of the targets; those of -1 are none. (m,) `drawn` items stand for all others."""
        real = targets >= 0
        states, after = self.states(inputs)[real], targets[real]
        if drawn is None:
            return functional.cross_entropy(states @ self.items.weight.T, after)
        own = (states * self.items(after)).sum(dim=1, keepdim=True)
        # Each drawn item speaks for as many as it was drawn from.
        others = states @ self.items(drawn).T + math.log((self.items.num_embeddings - 1) / len(drawn))
        others = others.masked_fill(drawn[None, :] == after[:, None], -torch.inf)
        return functional.cross_entropy(torch.cat([own, others], dim=1), torch.zeros_like(after))


def arrays(network: SasRec) -> dict[str, np.ndarray]:
    """float32, by the names of recommend.attention; every layer's arrays are stacked."""
    found = {"factors": network.items.weight, "places": network.places.weight}
    found |= {"norm_scale": network.norm.weight, "norm_shift": network.norm.bias}
    for name in LAYER:
        part, _, kind = name.rpartition("_")
        kind = {"scale": "weight", "shift": "bias"}.get(kind, kind)
        found[name] = torch.stack([getattr(getattr(block, part), kind) for block in network.blocks])
    return {name: tensor.detach().numpy().astype(np.float32) for name, tensor in found.items()}
