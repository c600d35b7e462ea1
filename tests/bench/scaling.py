"""`python -m tests.bench.scaling [--millions 1 4 16 | --sequences FILE] [--memory 2g]`: what Spark's counting costs.

Generated events, or those of a file, stand in Parquet files, as those of the lake do. Spark's heap stays the same for
every size, so that what does not fit is spilled to disk. A small run comes first: no fit pays for Spark's start.
"""

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich import box
from rich.console import Console
from rich.table import Table

from millrace.recommend import files
from millrace.runtime.logs import start_logging
from millrace.spark import session
from millrace.training import events
from millrace.training.recommender import counting
from millrace.training.sales import tables as sales
from millrace.workloads import find_workload

log = logging.getLogger("millrace.bench")

ITEMS, EVENTS_A_USER, DAYS = 20_000, 20, 365
START = 1_577_836_800  # 2020-01-01
MODEL = find_workload("shop").model("sales")


def started(folder: str, memory: str) -> SparkSession:
    os.environ.update(session.spark_environment())
    builder = SparkSession.builder.master("local[*]").appName("scaling").config("spark.driver.memory", memory)
    options = {
        "spark.ui.enabled": "false",
        "spark.local.dir": folder,
        "spark.driver.extraJavaOptions": session.FAST_START,
        "spark.sql.shuffle.partitions": "4",
        **session.BATCH_OPTIONS,
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.showConsoleProgress": "false",
    }
    for name, value in options.items():
        builder = builder.config(name, value)
    result = builder.getOrCreate()
    result.sparkContext.setLogLevel("ERROR")
    return result


def generated(spark: SparkSession, count: int, file: str) -> DataFrame:
    """Events of count / EVENTS_A_USER users: a few items are taken often, most seldom; orders of two lines."""
    number = F.col("id")
    share = (F.pmod(F.xxhash64(number, F.lit(1)), F.lit(1_000_000)) + 1) / 1_000_000
    item = F.floor(F.pow(share, 3) * ITEMS).cast("int")
    result = spark.range(count).select(
        F.pmod(F.xxhash64(F.floor(number / 2)), F.lit(count // EVENTS_A_USER)).cast("string").alias("user"),
        F.lit(True).alias("known"),
        F.least(item, F.lit(ITEMS - 1)).alias("item"),
        (START + F.pmod(F.xxhash64(F.floor(number / 2), F.lit(2)), F.lit(DAYS * 86_400))).cast("double").alias("since"),
        F.lit(0).alias("part"),
        F.floor(number / 2).cast("string").alias("order_id"),
        number.alias("arrival"),
    )
    result.write.parquet(file)
    return spark.read.parquet(file)


def read(spark: SparkSession, source: str, file: str) -> tuple[DataFrame, int]:
    """Events of a file of sequences, and the number of its items; without times the places stand for them."""
    interactions = files.read_sequences(source)
    times = interactions.times if interactions.times is not None else -interactions.ages.astype(np.float64)
    columns = {
        "user": np.char.mod("%d", interactions.users),
        "item": interactions.items,
        "since": times,
        "arrival": np.arange(len(interactions.items)),
    }
    pq.write_table(pa.table(columns), file, row_group_size=100_000)
    rows = spark.read.parquet(file).withColumns({"known": F.lit(True), "part": F.lit(0)})
    return rows.repartition(spark.sparkContext.defaultParallelism), interactions.item_count


def order_lines(rows: DataFrame) -> DataFrame:
    """What millrace.training.sales.train.make_order_lines gives."""
    return rows.select(
        F.floor(F.col("since") / 86_400).cast("int").alias("day"),
        "order_id",
        F.col("user").alias("customer"),
        F.col("item").cast("string").alias("item"),
        (F.col("item") * 7 + 99).cast("long").alias("hundredths"),
        F.col("item").cast("string").alias("product"),
        (F.col("item") % 200).cast("string").alias("brand"),
        (F.col("item") % 30).cast("string").alias("category"),
    )


def steps(rows: DataFrame, items: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    held: dict[str, DataFrame] = {}

    def sequences() -> None:
        held["sequences"] = events.group_by_user(rows).persist()
        held["sequences"].count()

    def knn() -> None:
        pairs = counting.count_pairs(held["sequences"], items, plain=False)
        counting.make_knn(pairs, items)
        pairs.unpersist()

    def markov() -> None:
        moves = counting.count_transitions(held["sequences"], items)
        counting.make_markov(moves, items)
        moves.unpersist()

    def summed() -> None:
        for table in sales.sum_tables(order_lines(rows), MODEL).values():
            table.count()
            table.unpersist()

    yield "histories", sequences
    yield "popularity", lambda: counting.count_popularity(held["sequences"], items, [])
    yield "markov", markov
    yield "knn", knn
    held["sequences"].unpersist()
    if "order_id" in rows.columns:
        yield "sales", summed


def measured(rows: DataFrame, items: int) -> dict[str, float]:
    results: dict[str, float] = {}
    for name, run in steps(rows, items):
        began, used = time.perf_counter(), processor()
        run()
        results[name], results[f"{name}, CPU"] = time.perf_counter() - began, processor() - used
    results["resident GB"] = sum(one.memory_info().rss for one in psutil.Process().children(recursive=True)) / 1e9
    return results


def processor() -> float:
    """Seconds of this process, of Spark's, and of its Python processes, those that have ended included."""
    every = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return sum(sum(one.cpu_times()[:4]) for one in every)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scaling", description=__doc__)
    parser.add_argument("--millions", nargs="+", type=float, default=[1, 4, 16])
    parser.add_argument("--memory", default="2g", help="Spark's heap, the same for every size")
    parser.add_argument("--sequences", help="a file of sequences in place of generated events")
    options = parser.parse_args()
    start_logging()
    with tempfile.TemporaryDirectory(prefix="millrace-scaling-") as folder:
        spark = started(folder, options.memory)
        measured(generated(spark, 20_000, f"{folder}/first.parquet"), ITEMS)
        results, items = {}, ITEMS
        for millions in [] if options.sequences else options.millions:
            count = int(millions * 1e6)
            results[f"{millions:g} M"] = measured(generated(spark, count, f"{folder}/events-{count}.parquet"), ITEMS)
            log.info("%g million events: %s", millions, results[f"{millions:g} M"])
        if options.sequences:
            rows, items = read(spark, options.sequences, f"{folder}/read.parquet")
            results[f"{rows.count():,}"] = measured(rows, items)
        spark.stop()
        title = f"seconds, CPU seconds in brackets; heap {options.memory}, {items:,} items"
        table = Table(box=box.SIMPLE, title=title, title_justify="left", title_style="")
        table.add_column("events")
        names = [name for name in next(iter(results.values())) if "," not in name]
        for name in names:
            table.add_column(name, justify="right")
        for events_, item in results.items():
            cells = [
                f"{item[n]:.1f} ({item[f'{n}, CPU']:.0f})" if f"{n}, CPU" in item else f"{item[n]:.1f}" for n in names
            ]
            table.add_row(events_, *cells)
        Console(width=120).print(table)


if __name__ == "__main__":
    main()
