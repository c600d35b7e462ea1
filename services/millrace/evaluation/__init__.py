"""Evaluation of recommenders: what was held out, where the models ranked it, and how sure that is.

    sequences  ->  split  ->  ranks  ->  metrics  ->  bootstrap  ->  the table of `millrace evaluate`
    sources  ->  candidates  ->  selection  ->  recipes, for `millrace evaluate` and `millrace train` alike

Nothing is ever chosen on a test item: options of the models and shares of the blend come from the validation items.
"""
