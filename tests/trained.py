"""One training of every workload for all tests that need a trained model: the dearest fixture of the run."""

from typing import Any

import pytest

from tests.conftest import generated

ROWS, SEED = 1200, 21
SOURCES = {"mooc": (1500, 61)}
"""(rows, seed) of workloads that want others: enrolments from which transitions can be learnt."""


@pytest.fixture(scope="session")
def trained(stack, spark, tmp_path_factory) -> dict[str, dict[str, Any]]:
    """Every workload ingested, landed, trained on all its records; results by full model name."""
    from millrace.ingest.publish import ingest_source
    from millrace.lake.progress import wait_until_landed
    from millrace.registry.registry import Registry, champion_key
    from millrace.training.options import TrainingOptions
    from millrace.training.train import train_models
    from millrace.workloads import load_workloads

    results = {}
    for workload in load_workloads().values():
        for model in workload.models:
            # What other tests have promoted was judged on other records: here every model is the first.
            Registry().store.delete(champion_key(workload.name, model.name))
        rows, seed = SOURCES.get(workload.name, (ROWS, SEED))
        ingest_source(workload, str(generated(workload, rows, seed, tmp_path_factory.mktemp("train"))))
    for workload in load_workloads().values():
        wait_until_landed(workload)
        for result in train_models(spark, workload, TrainingOptions()):
            results[f"{workload.name}/{result['model']}"] = result
    return results
