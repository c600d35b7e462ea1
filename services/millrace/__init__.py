"""Millrace: from Kafka to a served model."""

__version__ = "0.3.0"
