"""Records: from the text of a source to a typed record, or to a reason why not.

Knows nothing of Kafka, Spark or FastAPI: the same types check a file's row and a request's body.
"""
