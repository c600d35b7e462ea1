"""One loaded version of each kind of model."""
