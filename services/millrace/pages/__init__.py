"""Pages: from a URL, a title and keywords to a cluster, with NumPy alone. Training and streaming share this code."""
