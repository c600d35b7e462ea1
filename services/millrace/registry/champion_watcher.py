"""Watching a model's champion: the API, the updater and the stream each follow it from here."""

from dataclasses import dataclass

from millrace.errors import NotFoundError
from millrace.registry.champion import Champion
from millrace.registry.registry import Registry


@dataclass(frozen=True)
class RefusedChampion:
    """A champion that can't be used, and why."""

    champion: Champion
    reason: str


class ChampionWatcher:
    """Asks for the champion of one model, and returns it when it is neither the accepted nor the refused one.

    A champion of which neither was said is returned again by the next `poll`: loading it may work then.
    """

    def __init__(self, registry: Registry, workload: str, model: str):
        self._registry, self._workload, self._model = registry, workload, model
        self.champion: Champion | None = None
        """The one that was accepted last."""
        self.refused: RefusedChampion | None = None
        """The one that came after it and can't be used; None once another is accepted."""

    def poll(self) -> Champion | None:
        """The champion, where champion.json has changed since it was last accepted or refused; None otherwise.

        Raises UnavailableError when the registry is out of reach, CorruptError when champion.json can't be read.
        """
        known = self.refused.champion if self.refused else self.champion
        try:
            return self._registry.champion_if_changed(self._workload, self._model, known.etag if known else None)
        except NotFoundError:
            return None

    def accept(self, champion: Champion) -> None:
        """Take this champion for known and used."""
        self.champion, self.refused = champion, None

    def refuse(self, champion: Champion, reason: str) -> None:
        """Remember that this champion can't be used: it is not loaded again until champion.json changes."""
        self.refused = RefusedChampion(champion, reason)
