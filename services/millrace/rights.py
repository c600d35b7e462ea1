"""What each component does with objects: the one list from which all object storage gets its rules.

`tools/chart_files.py` writes it into the chart, from where the chart's own object storage and Terraform's policies take
it. Tests run the components against stores that hold them to it.
"""

from dataclasses import dataclass, field

WAREHOUSE = "warehouse/"
"""Of the lake's bucket: all tables."""
CATALOG_BACKUPS = "catalog/"
"""Of the lake's bucket: backups of the catalog."""
MODELS, MOVES, CONTINUAL, DOCTOR = "models/", "moves/", "continual/", "doctor/"
"""Of the registry's bucket: versions and champions, claims of promotions, checkpoints, the doctor's own objects."""


@dataclass(frozen=True)
class ComponentRights:
    """Key prefixes by bucket, `lake` or `models`. Who may write objects may remove them too.

    A bucket that is named may also be listed, so that an object that is not there is told from one that is forbidden.
    """

    read: dict[str, tuple[str, ...]] = field(default_factory=dict)
    write: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def buckets(self) -> list[str]:
        """The buckets that the component uses, sorted."""
        return sorted(self.read.keys() | self.write.keys())


COMPONENTS: dict[str, ComponentRights] = {
    "api": ComponentRights(read={"models": (MODELS,)}),
    # Of the lake it reads what Kafka has deleted.
    "online": ComponentRights(read={"lake": (WAREHOUSE,), "models": (MODELS,)}),
    "stream": ComponentRights(
        read={"lake": (WAREHOUSE,), "models": (MODELS,)},
        write={"lake": (WAREHOUSE,)},
    ),
    "connect": ComponentRights(read={"lake": (WAREHOUSE,)}, write={"lake": (WAREHOUSE,)}),
    "train": ComponentRights(
        read={"lake": (WAREHOUSE,), "models": (MODELS, MOVES, CONTINUAL)},
        write={"lake": (WAREHOUSE,), "models": (MODELS, MOVES, CONTINUAL)},
    ),
    # It makes the tables, and hourly backs up the catalog and removes what expired.
    "provision": ComponentRights(
        read={"lake": (WAREHOUSE, CATALOG_BACKUPS), "models": (DOCTOR, MODELS)},
        write={"lake": (WAREHOUSE, CATALOG_BACKUPS), "models": (DOCTOR,)},
    ),
    # Its sources are buckets of others.
    "ingest": ComponentRights(),
}
