"""Sales in memory: the arrays of one training, mapped from files, so that workers share them."""

from dataclasses import dataclass, field

from millrace.analytics.sales import Sales
from millrace.serving.kinds.base import LoadedModel


@dataclass(frozen=True)
class LoadedSales(LoadedModel):
    """One loaded version of sums of sales."""

    sales: Sales = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sales", Sales(self.arrays))
