"""Self-attention as arrays, its forward pass in NumPy: SASRec and BERT4Rec.

Kang and McAuley, "Self-Attentive Sequential Recommendation" (2018); Sun et al., "BERT4Rec: Sequential Recommendation
with Bidirectional Encoder Representations from Transformer" (2019).

Trained by millrace.neural. A score is no sum over the history, so an answer names no reasons.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from millrace.recommend.sequences import Sequences
from millrace.recommend.top_items import TopItems, clean_history, find_unseen, rank_items

LAYER = (
    *("norm1_scale", "norm1_shift", "qkv_weight", "qkv_bias", "out_weight", "out_bias"),
    *("norm2_scale", "norm2_shift", "up_weight", "up_bias", "down_weight", "down_bias"),
)
ARRAY_NAMES = ("factors", "places", "norm_scale", "norm_shift", "heads", *LAYER)
EPSILON = 1e-5


def layer_norm(state: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Ba, Kiros and Hinton, "Layer Normalization" (2016)."""
    centred = state - state.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON) * scale + shift


@dataclass(frozen=True)
class AttentionModel:
    """`weights`: `factors` (items, d), `places` (depth, d), the last norm (d,), `heads` (1,), and LAYER, all float32.

    A layer's arrays are stacked: (layers, ...), linear ones (layers, out, in). The newest `depth` items take part. With
    `mask` (d,), every place looks at all others, as in BERT4Rec, and the mask stands where the next item is asked for.
    """

    weights: Mapping[str, np.ndarray]
    popular: np.ndarray

    @property
    def algorithm(self) -> str:
        return "masked_attention" if "mask" in self.weights else "attention"

    @property
    def depth(self) -> int:
        return len(self.weights["places"]) - ("mask" in self.weights)

    @property
    def items(self) -> int:
        return len(self.weights["factors"])

    def arrays(self) -> dict[str, np.ndarray]:
        return {**self.weights, "popular": self.popular}

    def with_popular(self, popular: np.ndarray) -> "AttentionModel":
        """The same model with another order of popularity."""
        return replace(self, popular=popular)

    @cached_property
    def _unknown(self) -> np.ndarray:
        return find_unseen(self.popular, self.items)

    @cached_property
    def _prior(self) -> np.ndarray:
        """(items,) scores after an empty history: the more popular the better."""
        prior = np.full(self.items, -np.inf, dtype=np.float32)
        prior[self.popular] = -(np.arange(len(self.popular)) + 1.0) / max(self.items, 1)
        return prior

    def states(self, histories: np.ndarray) -> np.ndarray:
        """(users, d) states after (users, l) histories of one length, 1 to `depth`, oldest first."""
        weights, (users, length) = self.weights, histories.shape
        heads, width = int(weights["heads"][0]), weights["factors"].shape[1]
        state = weights["factors"][histories]
        if "mask" in weights:
            length += 1
            state = np.concatenate([state, np.broadcast_to(weights["mask"], (users, 1, width))], axis=1)
        state = state * np.float32(width**0.5) + weights["places"][:length]
        later = 0.0 if "mask" in weights else np.triu(np.full((length, length), -np.inf, dtype=np.float32), 1)
        for layer in range(len(weights["qkv_weight"])):
            part = {name: weights[name][layer] for name in LAYER}
            qkv = layer_norm(state, part["norm1_scale"], part["norm1_shift"]) @ part["qkv_weight"].T + part["qkv_bias"]
            query, key, value = qkv.reshape(users, length, 3, heads, -1).transpose(2, 0, 3, 1, 4)
            shares = query @ key.swapaxes(2, 3) / np.float32((width // heads) ** 0.5) + later
            shares = np.exp(shares - shares.max(axis=-1, keepdims=True))
            shares /= shares.sum(axis=-1, keepdims=True)
            mixed = (shares @ value).transpose(0, 2, 1, 3).reshape(users, length, width)
            state = state + mixed @ part["out_weight"].T + part["out_bias"]
            inner = layer_norm(state, part["norm2_scale"], part["norm2_shift"]) @ part["up_weight"].T + part["up_bias"]
            state = state + np.maximum(inner, 0) @ part["down_weight"].T + part["down_bias"]
        return layer_norm(state[:, -1], weights["norm_scale"], weights["norm_shift"])

    def scores(self, history: np.ndarray) -> np.ndarray:
        recent = clean_history(history, self.items)[-self.depth :]
        if not len(recent):
            return self._prior.copy()
        scores = self.weights["factors"] @ self.states(recent[None])[0]
        scores[self._unknown] = -np.inf
        return scores

    def batch(self, histories: Sequences) -> np.ndarray:
        lengths = np.minimum(histories.lengths, self.depth)
        scores = np.tile(self._prior, (len(histories), 1))
        for length in np.unique(lengths[lengths > 0]):
            users = np.flatnonzero(lengths == length)
            places = histories.starts[1:][users][:, None] + np.arange(-length, 0)
            scores[users] = self.states(histories.items[places]) @ self.weights["factors"].T
        scores[:, self._unknown] = -np.inf
        return scores

    def top(self, history: np.ndarray, n: int, *, keep_known: bool = False, because: bool = True) -> TopItems:
        known, scores = clean_history(history, self.items), self.scores(history)
        chosen = rank_items(scores, known[:0] if keep_known else known, n)
        return TopItems(chosen, scores[chosen].astype(np.float64), [[] for _ in chosen] if because else [])
