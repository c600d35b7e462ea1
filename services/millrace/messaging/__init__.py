"""Messaging: the one place that talks to Kafka. Clients behind small classes, topics declared in one file."""
