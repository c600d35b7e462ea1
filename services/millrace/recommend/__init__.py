"""Recommenders: sequences of interactions in, scores and top-n items with reasons out.

A model is fitted with SciPy (the extra `recommend`) or by Spark, becomes plain arrays, and answers with NumPy alone:

    Sequences  ->  knn, markov, ease, ridge, als, popularity  ->  blend  ->  arrays  ->  load  ->  top

All models but ALS and popularity are item-to-item links, and a blend is several of them: a score is a sum over the
items of a history, so that `because` is exact and not an afterthought.
"""
