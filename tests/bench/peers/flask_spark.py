"""Flask with Spark in the server, as the prototypes were: `python -m tests.bench.peers.flask_spark PORT`.

A row becomes a DataFrame of one row and goes through the fitted pipeline's `transform`, for every request.
"""

import os
import sys
from random import Random

from flask import Flask, jsonify, request
from pyspark.ml import Pipeline
from pyspark.ml.clustering import KMeans
from pyspark.ml.feature import StandardScaler, VectorAssembler
from pyspark.sql import SparkSession

from millrace.local import java

FIELDS = ["num_subscribers", "num_reviews", "num_lectures", "content_duration"]


def numbers(row: dict) -> tuple[float, ...]:
    return tuple(float(row[field]) for field in FIELDS)


os.environ["JAVA_HOME"] = str(java.find_java().resolve().parents[1])
spark = (
    SparkSession.builder.master("local[*]")
    .config("spark.ui.enabled", "false")
    .config("spark.ui.showConsoleProgress", "false")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .getOrCreate()
)
random = Random(1)
training = spark.createDataFrame([tuple(random.lognormvariate(5, 2) for _ in FIELDS) for _ in range(500)], FIELDS)
stages = [
    VectorAssembler(inputCols=FIELDS, outputCol="raw"),
    StandardScaler(inputCol="raw", outputCol="features", withMean=True),
    KMeans(k=5, seed=1),
]
model = Pipeline(stages=stages).fit(training)
app = Flask(__name__)


@app.post("/course_popularity")
def popularity():
    frame = spark.createDataFrame([numbers(request.get_json())], FIELDS)
    result = model.transform(frame).select("prediction").first()
    return jsonify(cluster=result.prediction, label=f"cluster {result.prediction}")


@app.get("/health/ready")
def ready():
    return jsonify(status="ready")


if __name__ == "__main__":
    app.run(port=int(sys.argv[1]), threaded=True)
