"""Pages of a stream, clustered as they arrive: a Structured Streaming application and the readers of its topics.

A micro-batch is scored by the champion of that moment, appended to the lake's table of pages in one commit, written to
the topics of the clusters, and counted. The table is the checkpoint: what it holds is done, a start begins behind it.
"""
