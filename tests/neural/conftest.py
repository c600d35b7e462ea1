import sys

import pytest


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """PyTorch on one thread, as in a worker: the networks are small, and several threads only wait for each other."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
