"""Spark sessions, for training and the page stream."""
