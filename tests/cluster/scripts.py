"""Programs that the tests run in pods of the cluster."""

# Runs in the toolbox: rows of the lake, and whether every place in Kafka is there once.
AUDIT = """
import json, sys
from millrace.lake.tables import load_table
rows = load_table(sys.argv[1]).scan(selected_fields=("kafka_partition", "kafka_offset")).to_arrow().to_pylist()
places = {(row["kafka_partition"], row["kafka_offset"]) for row in rows}
ends = {}
for partition, offset in places:
    ends[partition] = max(ends.get(partition, -1), offset)
print(json.dumps({"rows": len(rows), "places": len(places), "wanted": sum(ends.values()) + len(ends)}))
"""

# Runs as the stream's user: the same of the pages that it has scored, in the table and in the topics of the clusters.
PAGES = """
import json, sys
from millrace.lake import pages_table_name
from millrace.lake.catalog import load_catalog
from millrace.messaging.reader import read_all
from millrace.workloads import find_workload
of = find_workload(sys.argv[1])
fields = ("kafka_partition", "kafka_offset", "cluster")
rows = load_catalog().load_table(pages_table_name(of.name)).scan(selected_fields=fields).to_arrow().to_pylist()
table = {f"{row['kafka_partition']}:{row['kafka_offset']}": row["cluster"] for row in rows}
sent = [(item.key.decode(), number) for number, topic in enumerate(of.cluster_topics) for item in read_all(topic)]
topics = dict(sent)
apart = [key for key in table.keys() | topics.keys() if table.get(key) != topics.get(key)]
print(json.dumps({
    "records": len({json.loads(item.value)["record_id"] for item in read_all(of.records_topic)}),
    "rows": len(rows), "places": len(table), "messages": len(sent), "keys": len(topics), "apart": len(apart),
}))
"""
