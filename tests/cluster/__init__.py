"""The chart on a real cluster: everything in pods, asked from outside."""
