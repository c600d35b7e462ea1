"""Continual training of a network on the stream, in one torch.distributed group: each micro-batch is a test first.

Topic  ->  cuts (written down first)  ->  learner: test, then train, with a replay of the past  ->  checkpoints in S3
                                               |
                                               +->  gate, on events it has not seen  ->  registry

The supervisor (this process) starts the workers and starts them again; it never imports PyTorch.
"""
