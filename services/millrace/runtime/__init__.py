"""What every process needs and no part of the pipeline is: it is given addresses and never reads settings."""
