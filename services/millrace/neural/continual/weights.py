"""A network and its optimiser as arrays and back, made larger for new items, and started from what is served."""

import hashlib
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from millrace.neural.continual.plan import Plan
from millrace.neural.network import NETWORKS, SasRec
from millrace.recommend.attention import LAYER

MOMENTS = {"first": "exp_avg", "second": "exp_avg_sq"}


class Weights:
    """`network` and its AdamW; Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (2019)."""

    def __init__(self, plan: Plan, items: int):
        self.plan = plan
        torch.manual_seed(plan.seed)
        sizes = {name: getattr(plan, name) for name in ("width", "heads", "layers", "depth", "dropout")}
        self.network: SasRec = NETWORKS[plan.network](items, **sizes)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=plan.rate, weight_decay=0.01)

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
        group = self.optimiser.param_groups[0]
        group["params"] = [new if one is old else one for one in group["params"]]
        if moments := self.optimiser.state.pop(old, None):
            for name in MOMENTS.values():
                moments[name] = longer(moments[name], torch.zeros_like(fresh))
            self.optimiser.state[new] = moments

    def arrays(self) -> dict[str, np.ndarray]:
        """Copies: `weights_<n>` and, from the first step on, `first_<n>`, `second_<n>`, `steps_<n>` by parameter."""
        found = {}
        for place, tensor in enumerate(self.network.parameters()):
            found[f"weights_{place}"] = tensor.detach().numpy().copy()
            if moments := self.optimiser.state.get(tensor):
                found |= {f"{name}_{place}": moments[inner].numpy().copy() for name, inner in MOMENTS.items()}
                found[f"steps_{place}"] = np.array(float(moments["step"]))
        return found

    @torch.no_grad()
    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        for place, tensor in enumerate(self.network.parameters()):
            tensor.copy_(torch.from_numpy(arrays[f"weights_{place}"].copy()))
            if f"steps_{place}" in arrays:
                self.optimiser.state[tensor] = {
                    "step": torch.tensor(float(arrays[f"steps_{place}"])),
                    **{inner: torch.from_numpy(arrays[f"{name}_{place}"].copy()) for name, inner in MOMENTS.items()},
                }

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
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(name.encode() + str(arrays[name].shape).encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return found.hexdigest()
