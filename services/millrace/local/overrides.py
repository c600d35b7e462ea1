"""What a harness changes about a stack that it starts for itself; `millrace up` changes nothing."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from millrace.errors import BadInputError

FRONTED = ("kafka", "s3")
"""Children that may have a front."""


@dataclass(frozen=True)
class StackOverrides:
    """Travels to the supervisor as one argument. A stack with overrides ends when whoever started it ends."""

    fronts: Mapping[str, int] = field(default_factory=dict)
    """Child -> the port that all its clients are told instead of its own: of a proxy, which the harness keeps. The
    child's own port is in ports.json (Kafka's is `kafka_fronted`: a listener that advertises the front). Probes and
    the broker itself go past the front."""
    environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Child -> variables that it starts with besides its own."""

    def to_argument(self) -> str:
        """As `parse` reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, argument: str) -> "StackOverrides":
        """Raises BadInputError for what no harness writes."""
        try:
            overrides = cls(**json.loads(argument))
        except (json.JSONDecodeError, TypeError) as error:
            raise BadInputError(f"The overrides {argument!r} are not usable: {error}.", code="bad_overrides") from None
        if unknown := [name for name in overrides.fronts if name not in FRONTED]:
            allowed = ", ".join(FRONTED)
            raise BadInputError(
                f"A front of {unknown[0]!r} is not usable; allowed: {allowed}.", code="bad_overrides", allowed=allowed
            )
        return overrides


NO_OVERRIDES = StackOverrides()
