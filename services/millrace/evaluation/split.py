"""What the models may see and what they are asked: by leaving items out, or by a point in time."""

from dataclasses import dataclass

import numpy as np

from millrace.errors import BadInputError
from millrace.recommend.sequences import Sequences

TRAIN_SHARE = 0.9  # of the interactions lie before the point in time


@dataclass(frozen=True)
class Fold:
    """Models are fitted on `fit`; user u then has `histories[u]` and takes `targets[u]` next."""

    fit: Sequences
    histories: Sequences
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    def sample(self, users: int, seed: int) -> "Fold":
        """At most so many users, the same for the same seed; the fit stays whole."""
        if users >= len(self):
            return self
        chosen = np.sort(np.random.default_rng(seed).choice(len(self), users, replace=False))
        return Fold(self.fit, self.histories.take(chosen), self.targets[chosen])


@dataclass(frozen=True)
class Split:
    """Everything that is chosen, is chosen on `validation`; `test` is only measured."""

    validation: Fold
    test: Fold


def split_leave_one_out(sequences: Sequences) -> Split:
    """Strict: the last item of each user is the test, the one before it the validation, and no fit sees either.

    The history of the test holds the validation item, as in the published protocol of SASRec: it is what the user did
    before, but no model was fitted on it. Users of fewer than three items are fitted on and not asked.
    """
    asked = np.flatnonzero(sequences.lengths >= 3)
    if not len(asked):
        raise BadInputError(
            "No user has the 3 items that leaving two out needs.", code="bad_sequence", field="sequences"
        )
    long = np.repeat(sequences.lengths >= 3, sequences.lengths)
    ages = sequences.ages
    fit = sequences.where((ages >= 2) | ~long)
    last = sequences.starts[1:][asked] - 1
    return Split(
        Fold(fit, sequences.where(ages >= 2).take(asked), sequences.items[last - 1]),
        Fold(fit, sequences.where(ages >= 1).take(asked), sequences.items[last]),
    )


def split_by_time(sequences: Sequences, share: float = TRAIN_SHARE) -> Split:
    """One point in time for all: fitted on what came before it, asked for each user's first item from then on.

    The validation is the same again within the earlier part. Raises BadInputError where the source has no times.
    """
    if sequences.times is None:
        raise BadInputError(
            "--protocol time needs times, and this source has only an order; allowed: full, negatives.",
            field="protocol",
            allowed="full, negatives",
        )
    test = _split_at(sequences, share)
    return Split(_split_at(test.fit, share), test)


def _split_at(sequences: Sequences, share: float) -> Fold:
    assert sequences.times is not None
    point = np.quantile(sequences.times, share, method="higher") if len(sequences.times) else 0
    early = sequences.times < point
    fit = sequences.where(early)
    asked = np.flatnonzero((fit.lengths > 0) & (fit.lengths < sequences.lengths))
    if not len(asked):
        raise BadInputError(
            "No user has items on both sides of the split in time.", code="bad_sequence", field="sequences"
        )
    targets = sequences.items[sequences.starts[:-1][asked] + fit.lengths[asked]]
    return Fold(fit, fit.take(asked), targets)
