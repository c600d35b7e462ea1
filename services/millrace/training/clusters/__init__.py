"""Training k-means clusters of records."""
