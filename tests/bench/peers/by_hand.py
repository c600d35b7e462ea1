"""A FastAPI server as one writes it by hand around NumPy arrays: `python -m tests.bench.peers.by_hand PORT ARRAYS`.

POST /raw checks nothing at all; POST /rows reads a `list[Row]`, which is how FastAPI is meant to be used.
"""

import sys

import numpy as np
import orjson
import uvicorn
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

arrays = np.load(sys.argv[2])
app = FastAPI()
LABELS = [f"cluster {number}" for number in range(100)]


class Row(BaseModel):
    discounted_price: float
    rating: float


def nearest(values: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    rows = (values - arrays[f"{kind}_mean"]) / arrays[f"{kind}_scale"]
    squared = ((rows[:, None, :] - arrays[f"{kind}_centres"]) ** 2).sum(axis=2)
    clusters = squared.argmin(axis=1)
    return clusters, np.sqrt(squared[np.arange(len(rows)), clusters])


@app.post("/raw")
async def raw(request: Request) -> Response:
    row = orjson.loads(await request.body())
    values = [row["num_subscribers"], row["num_reviews"], row["num_lectures"], row["content_duration"]]
    clusters, distances = nearest(np.log1p([values]), "popularity")
    cluster = int(clusters[0])
    answer = {"cluster": cluster, "label": LABELS[cluster], "distance": float(distances[0])}
    return Response(orjson.dumps(answer), media_type="application/json")


@app.post("/rows")
async def rows(parameters: list[Row]) -> list[dict]:
    values = np.array([[np.log1p(row.discounted_price), row.rating] for row in parameters])
    clusters, distances = nearest(values, "price_rating")
    return [
        {"cluster": cluster, "label": LABELS[cluster], "distance": distance, "input": row}
        for cluster, distance, row in zip(clusters.tolist(), distances.tolist(), parameters, strict=True)
    ]


@app.get("/health/ready")
async def ready() -> dict:
    return {"status": "ready"}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_level="warning")
