"""Ingest: a source in, acknowledged records and rejected rows in Kafka out, and a receipt when all of it is there."""
