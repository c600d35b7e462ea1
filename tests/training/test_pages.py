"""Clusters of pages through the whole training: k and names at first, kept numbers later, the gate, the way back."""

import random

import numpy as np
import pytest

from millrace.api.paged import Paged
from millrace.errors import Corrupt
from millrace.pages.model import Pages
from millrace.registry.registry import Registry
from millrace.training import pages, paged, train
from millrace.workloads import workload
from tests.pipeline.command import millrace
from tests.conftest import generated

pytestmark = pytest.mark.stack
URLS = workload("urls")
MODEL = URLS.model("pages")
ROWS = 3000


@pytest.fixture(scope="module")
def trained(stack, spark, tmp_path_factory):
    """The results of trainings on the first third, on two thirds and on all of what was ingested."""
    file = generated(URLS, ROWS, 3, tmp_path_factory.mktemp("urls"))
    code, counts, said = millrace("ingest", "urls", str(file))
    assert code == 0, said
    from millrace.lake.progress import wait_until_landed

    wait_until_landed(URLS)
    return list(train.train(spark, URLS, [MODEL], ["1/3", "2/3", "all"]))


def test_it(trained):
    import json

    print(json.dumps(trained, indent=1))
    r = Registry()
    for one in trained:
        m, a = r.load("urls", "pages", one["version"])
        print(m.names, m.metrics, m.parameters["sizes"], m.parameters["continued"], m.parameters["profile"][0])
    assert 0
