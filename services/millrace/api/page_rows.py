"""Assigns posted pages to clusters."""

from dataclasses import dataclass
from typing import Any

import orjson

from millrace.api.fast_path import Answer
from millrace.api.rows import Columns, RowReader, parse_json
from millrace.serving.kinds.page_clusters import LoadedPageClusters
from millrace.serving.metrics import metrics
from millrace.serving.model_store import ModelStore
from millrace.workloads.base import Feature, PageModel, Workload


@dataclass(frozen=True)
class PageInputs:
    """The fields of a record that say which cluster a page belongs to; without title and keywords it is its URL."""

    name: str
    features: tuple[Feature, ...]


def make_row_reader(workload: Workload, model: PageModel) -> RowReader:
    """Reads pages by the fields of their model; title and keywords may be left out."""
    fields = Feature(model.url), Feature(model.title, default=""), Feature(model.keywords, default="")
    return RowReader(workload, PageInputs(model.name, fields))


def make_answer(store: ModelStore, workload: Workload, model: PageModel, body: RowReader) -> Answer:
    """An object gives an object, a list a list of the same length and order."""
    answered = metrics().rows.labels(f"{workload.name}/{model.name}")
    names = {"url": model.url, "title": model.title, "keywords": model.keywords}

    def predict(columns: Columns) -> list[dict[str, object]]:
        served = store.get(workload.name, model.name, LoadedPageClusters)
        pages: dict[str, Any] = {ours: columns[theirs] for ours, theirs in names.items()}
        clusters, distances = served.pages.assign(pages)
        labels, version_fields = served.labels, served.manifest.version_fields
        answered.inc(len(clusters))
        return [
            {"cluster": cluster, "label": labels[cluster], "distance": distance, **version_fields}
            for cluster, distance in zip(clusters.tolist(), distances.tolist(), strict=True)
        ]

    def answer(content: bytes) -> bytes:
        request = parse_json(content)
        if isinstance(request, list):
            columns = body.read_many(body.check_list(request))
            return orjson.dumps(predict(columns) if request else [])
        (prediction,) = predict(body.read_one(request))
        return orjson.dumps(prediction)

    return answer
