"""Summing up sales."""
