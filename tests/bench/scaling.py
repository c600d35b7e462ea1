"""`python -m tests.bench.scaling [--millions 1 4 16] [--memory 2g]`: what Spark's counting costs as events grow.

Generated events stand in Parquet files, as those of the lake do. Spark's heap stays the same for every size, so that
what does not fit is spilled to disk.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich import box
from rich.console import Console
from rich.table import Table

from millrace.training import counting, events, sales, session
from millrace.workloads import workload

ITEMS, EVENTS_A_USER, DAYS = 20_000, 20, 365
START = 1_577_836_800  # 2020-01-01
MODEL = workload("shop").model("sales")


def started(folder: str, memory: str) -> SparkSession:
    os.environ.update(session.environment())
    builder = SparkSession.builder.master("local[*]").appName("scaling").config("spark.driver.memory", memory)
    options = {
        "spark.ui.enabled": "false",
        "spark.local.dir": folder,
        "spark.sql.shuffle.partitions": "16",
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.showConsoleProgress": "false",
    }
    for name, value in options.items():
        builder = builder.config(name, value)
    found = builder.getOrCreate()
    found.sparkContext.setLogLevel("ERROR")
    return found


def generated(spark: SparkSession, count: int, file: str) -> DataFrame:
    """Events of count / EVENTS_A_USER users: a few items are taken often, most seldom; orders of two lines."""
    number = F.col("id")
    share = (F.pmod(F.xxhash64(number, F.lit(1)), F.lit(1_000_000)) + 1) / 1_000_000
    item = F.floor(F.pow(share, 3) * ITEMS).cast("int")
    found = spark.range(count).select(
        F.pmod(F.xxhash64(F.floor(number / 2)), F.lit(count // EVENTS_A_USER)).cast("string").alias("user"),
        F.lit(True).alias("known"),
        F.least(item, F.lit(ITEMS - 1)).alias("item"),
        (START + F.pmod(F.xxhash64(F.floor(number / 2), F.lit(2)), F.lit(DAYS * 86_400))).cast("double").alias("since"),
        F.lit(0).alias("part"),
        F.floor(number / 2).cast("string").alias("order_id"),
        number.alias("arrival"),
    )
    found.write.parquet(file)
    return spark.read.parquet(file)


def order_lines(rows: DataFrame) -> DataFrame:
    """What millrace.training.sales.lines gives."""
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


def steps(rows: DataFrame) -> Iterator[tuple[str, Callable[[], Any]]]:
    held: dict[str, DataFrame] = {}

    def sequences() -> None:
        held["sequences"] = events.sequences(rows).persist()
        held["sequences"].count()

    def knn() -> None:
        pairs = counting.pairs(held["sequences"])
        counting.knn(pairs, ITEMS)
        pairs.unpersist()

    def markov() -> None:
        moves = counting.transitions(held["sequences"])
        counting.markov(moves, ITEMS)
        moves.unpersist()

    def summed() -> None:
        for table in sales.summed(order_lines(rows), MODEL).values():
            table.count()
            table.unpersist()

    yield "histories", sequences
    yield "popularity", lambda: counting.popularity(held["sequences"], ITEMS, None)
    yield "markov", markov
    yield "knn", knn
    held["sequences"].unpersist()
    yield "sales", summed


def measured(spark: SparkSession, millions: float, folder: str) -> dict[str, float]:
    rows = generated(spark, int(millions * 1e6), f"{folder}/events-{millions:g}.parquet")
    jvm = [one for one in psutil.Process().children(recursive=True) if "java" in one.name()]
    found: dict[str, float] = {}
    for name, run in steps(rows):
        began, used = time.perf_counter(), processor(jvm)
        run()
        found[name], found[f"{name}, CPU"] = time.perf_counter() - began, processor(jvm) - used
    found["resident GB"] = sum(one.memory_info().rss for one in jvm) / 1e9
    return found


def processor(processes: list[psutil.Process]) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in processes)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scaling", description=__doc__)
    parser.add_argument("--millions", nargs="+", type=float, default=[1, 4, 16])
    parser.add_argument("--memory", default="2g", help="Spark's heap, the same for every size")
    given = parser.parse_args()
    say = Console(stderr=True).print
    with tempfile.TemporaryDirectory(prefix="millrace-scaling-") as folder:
        spark = started(folder, given.memory)
        results = {}
        for millions in given.millions:
            results[millions] = measured(spark, millions, folder)
            say(f"{millions:g} million events: {results[millions]}")
        spark.stop()
        title = f"seconds, CPU seconds in brackets; heap {given.memory}, {ITEMS:,} items, {EVENTS_A_USER} events a user"
        table = Table(box=box.SIMPLE, title=title, title_justify="left", title_style="")
        table.add_column("events")
        names = [name for name in next(iter(results.values())) if "," not in name]
        for name in names:
            table.add_column(name, justify="right")
        for millions, one in results.items():
            cells = [f"{one[n]:.1f} ({one[f'{n}, CPU']:.0f})" if f"{n}, CPU" in one else f"{one[n]:.1f}" for n in names]
            table.add_row(f"{millions:g} M", *cells)
        Console(width=120).print(table)


if __name__ == "__main__":
    main()
