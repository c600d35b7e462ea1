"""What can go wrong: the kinds of faults, and how each is made and undone."""
