"""Scoring: from values to an answer, with NumPy alone. Training and serving share this code."""
