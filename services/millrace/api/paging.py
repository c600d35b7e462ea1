"""Posted pages and the clusters they fall into."""

from dataclasses import dataclass
from typing import Any

import orjson

from millrace.api.bodies import Body, Columns, parse
from millrace.api.champions import Champions
from millrace.api.fast import Answer
from millrace.api.metrics import metrics
from millrace.api.paged import Paged
from millrace.workloads.base import Feature, PageModel, Workload


@dataclass(frozen=True)
class Asked:
    """The fields of a record that say which cluster a page belongs to; without title and keywords it is its URL."""

    name: str
    features: tuple[Feature, ...]


def body(workload: Workload, model: PageModel) -> Body:
    """Reads pages by the fields of their model; title and keywords may be left out."""
    fields = Feature(model.url), Feature(model.title, default=""), Feature(model.keywords, default="")
    return Body(workload, Asked(model.name, fields))


def answers(champions: Champions, workload: Workload, model: PageModel, body: Body) -> Answer:
    """An object gives an object, a list a list of the same length and order."""
    answered = metrics().rows.labels(f"{workload.name}/{model.name}")
    names = {"url": model.url, "title": model.title, "keywords": model.keywords}

    def predict(columns: Columns) -> list[dict[str, Any]]:
        served: Paged = champions.get(workload.name, model.name)
        clusters, distances = served.pages.assign({ours: columns[theirs] for ours, theirs in names.items()})
        labels, version_fields = served.labels, served.manifest.said
        answered.inc(len(clusters))
        return [
            {"cluster": cluster, "label": labels[cluster], "distance": distance, **version_fields}
            for cluster, distance in zip(clusters.tolist(), distances.tolist(), strict=True)
        ]

    def answer(content: bytes) -> bytes:
        request = parse(content)
        if isinstance(request, list):
            columns = body.many(request)
            return orjson.dumps(predict(columns) if request else [])
        (prediction,) = predict(body.one(request))
        return orjson.dumps(prediction)

    return answer
