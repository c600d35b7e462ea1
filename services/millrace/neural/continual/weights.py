"""A network and its optimiser as arrays and back, made larger for new items, and started from what is served."""

import hashlib
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from millrace.neural.continual.plan import ContinualPlan
from millrace.neural.network import NETWORKS, SasRec
from millrace.recommend.attention import LAYER

KEPT_OF_FIRST, KEPT_OF_SECOND, EPSILON, DECAY = 0.9, 0.999, 1e-8, 0.01


class NetworkWeights:
    """`network` and the moments of its AdamW, a tensor for each parameter in the network's order.

    Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (2019), algorithm 2. It is written out because
    torch.optim's brings in the compiler, which would double the time until a worker that has died learns again.
    """

    def __init__(self, plan: ContinualPlan, items: int):
        self.plan, self.steps = plan, 0
        torch.manual_seed(plan.seed)
        sizes = {name: getattr(plan, name) for name in ("width", "heads", "layers", "depth", "dropout")}
        self.network: SasRec = NETWORKS[plan.network](items, **sizes)
        self.first = [torch.zeros_like(one) for one in self.network.parameters()]
        self.second = [torch.zeros_like(one) for one in self.network.parameters()]

    @torch.no_grad()
    def step(self) -> None:
        """Move by the gradients that the parameters have, and forget them."""
        self.steps += 1
        rate, scale = self.plan.rate / (1 - KEPT_OF_FIRST**self.steps), (1 - KEPT_OF_SECOND**self.steps) ** 0.5
        for parameter, first, second in zip(self.network.parameters(), self.first, self.second, strict=True):
            parameter.mul_(1 - self.plan.rate * DECAY)
            first.mul_(KEPT_OF_FIRST).add_(parameter.grad, alpha=1 - KEPT_OF_FIRST)
            second.mul_(KEPT_OF_SECOND).addcmul_(parameter.grad, parameter.grad, value=1 - KEPT_OF_SECOND)
            parameter.addcdiv_(first, (second.sqrt() / scale).add_(EPSILON), value=-rate)
            parameter.grad = None

    @torch.no_grad()
    def grow(self, items: int) -> None:
        """Room for so many items; a new one starts with small random numbers, and without moments, in every worker."""
        network, old = self.network, self.network.items.weight
        known = network.count
        if items <= known:
            return
        seed = int(np.random.SeedSequence((self.plan.seed, 2, known)).generate_state(1)[0])
        fresh = torch.empty(items - known, old.shape[1]).normal_(
            std=0.02, generator=torch.Generator().manual_seed(seed)
        )

        def longer(tensor: torch.Tensor, middle: torch.Tensor) -> torch.Tensor:
            return torch.cat([tensor[:known], middle, tensor[known:]])  # what is behind the items is BERT4Rec's mask

        new = nn.Parameter(longer(old, fresh))
        network.items.weight, network.items.num_embeddings, network.count = new, len(new), items
        index = next(number for number, parameter in enumerate(network.parameters()) if parameter is new)
        for moments in (self.first, self.second):
            moments[index] = longer(moments[index], torch.zeros_like(fresh))

    def _tensors(self) -> dict[str, torch.Tensor]:
        named = {"weights": self.network.parameters(), "first": self.first, "second": self.second}
        return {f"{name}_{place}": one for name, tensors in named.items() for place, one in enumerate(tensors)}

    def arrays(self) -> dict[str, np.ndarray]:
        """Copies: `weights_<n>`, `first_<n>` and `second_<n>` by parameter, and `steps`."""
        tensors = {name: tensor.detach().numpy().copy() for name, tensor in self._tensors().items()}
        return tensors | {"steps": np.array(self.steps)}

    @torch.no_grad()
    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.steps = int(arrays["steps"])
        for name, tensor in self._tensors().items():
            tensor.copy_(torch.from_numpy(arrays[name].copy()))

    @torch.no_grad()
    def take_up(self, served: Mapping[str, np.ndarray]) -> None:
        """The weights of a published version, named as in recommend.attention; the optimiser starts anew."""
        network, masks = self.network, [served["mask"][None]] if "mask" in served else []
        parts = {"factors": network.items.weight, "places": network.places.weight}
        parts |= {"norm_scale": network.norm.weight, "norm_shift": network.norm.bias}
        for name, tensor in parts.items():
            array = np.concatenate([served[name], *masks]) if name == "factors" else served[name]
            tensor.copy_(torch.from_numpy(np.array(array)))
        for name in LAYER:
            part, _, kind = name.rpartition("_")
            kind = {"scale": "weight", "shift": "bias"}.get(kind, kind)
            for block, array in zip(network.blocks, served[name], strict=True):
                getattr(getattr(block, part), kind).copy_(torch.from_numpy(np.array(array)))


def checksum(arrays: Mapping[str, np.ndarray]) -> str:
    """sha256 over the names and bytes of all arrays."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode() + str(arrays[name].shape).encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()
