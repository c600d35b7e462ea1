"""Loaded champions and what follows Kafka for them: the state that answers are made from, without HTTP."""
