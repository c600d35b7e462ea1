"""The chart's values as pydantic models, from which `tools/chart_schema.py` writes values.schema.json.

One module a part of values.yaml. Each has `AREAS`, its top-level keys with their models, and `root.py` puts them
together. A field has no default here: values.yaml has it, and a value that a user removes is missed.
"""
