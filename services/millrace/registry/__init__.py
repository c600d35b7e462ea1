"""The registry: versions of models as arrays and a manifest in object storage, and one champion a model."""
