"""Speeds of Millrace, each beside a peer measured in the same run: `python -m tests.bench`. Nothing here is a test."""
