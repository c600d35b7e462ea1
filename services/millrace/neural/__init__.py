"""Neural recommenders: trained with PyTorch in one torch.distributed group (the extra `neural`), served without it.

Sequences  ->  batches  ->  network, train  ->  arrays  ->  recommend.attention and .machine, in NumPy alone
"""
