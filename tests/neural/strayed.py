"""A group of which one worker goes wrong, to see that the others notice."""
