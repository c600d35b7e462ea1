"""Who may import whom: what the images of the parts can leave out depends on it."""

import subprocess
import sys

import pytest

ENGINES = ["pyspark", "kafka", "fastapi", "pyiceberg"]


@pytest.mark.parametrize(
    ("modules", "forbidden"),
    [
        (
            "millrace.workloads, millrace.scoring.kmeans, millrace.scoring.features, millrace.scoring.silhouette",
            ENGINES,
        ),
        ("millrace.ingest.check, millrace.records.readers", ENGINES),
        ("millrace.registry.registry", ENGINES),
        ("millrace.api.main, millrace.api.serve", ["pyspark", "pyiceberg", "pyarrow", "pandas", "scipy"]),
        ("millrace.ingest.publish, millrace.ingest.rejected_rows", ["pyspark", "fastapi", "pyiceberg", "pandas"]),
        ("millrace.training.train, millrace.training.maintenance", ["fastapi", "uvicorn"]),
        # A stream that waits for its first champion is small, and a reader of clusters needs Kafka alone.
        ("millrace.stream.app, millrace.stream.consume", ["pyspark", "fastapi", "pyiceberg", "pyarrow"]),
    ],
)
def test_component_does_not_import_engines_of_another(modules, forbidden):
    code = f"import sys, {modules}; print(*sorted(set(name.split('.')[0] for name in sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & set(forbidden)
