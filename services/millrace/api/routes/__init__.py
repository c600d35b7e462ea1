"""One module a family of paths."""
