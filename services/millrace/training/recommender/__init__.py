"""Training recommenders: count, choose, judge, fit, publish."""
