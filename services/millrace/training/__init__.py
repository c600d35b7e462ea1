"""Training: a named snapshot of the lake in, versions in the registry out. The only room that needs Spark."""
