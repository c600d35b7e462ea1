"""Sales by month, customers by spending, statistics by what was sold: sums over days, asked for any range of them.

Spark makes the arrays (millrace.training.sales.train); this folder needs numpy and nothing else.
"""
