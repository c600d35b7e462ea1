"""Training clusters of visited pages."""
