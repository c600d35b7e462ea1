"""The networks in PyTorch: what NumPy serves is what they compute, and a group of two processes learns."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -r requirements/neural.lock")

from millrace.evaluation.candidates import RecommenderCandidate  # noqa: E402
from millrace.evaluation.metrics import user_metrics  # noqa: E402
from millrace.evaluation.ranks import rank_targets  # noqa: E402
from millrace.evaluation.split import split_leave_one_out  # noqa: E402
from millrace.evaluation.table import evaluate_all  # noqa: E402
from millrace.neural.batches import make_batches, pad  # noqa: E402
from millrace.neural.candidates import NETWORK_CANDIDATES  # noqa: E402
from millrace.neural.network import NETWORKS, SasRec  # noqa: E402
from millrace.neural.train import NetworkPlan, fit_network  # noqa: E402
from millrace.recommend import loading  # noqa: E402
from millrace.recommend.popularity import PopularityModel  # noqa: E402
from millrace.recommend.sequences import Sequences  # noqa: E402
from tests.recommend.made import sequences  # noqa: E402

FOUND = sequences(8, users=300, items=30)
SMALL = {"width": 16, "epochs": 12, "every": 4, "size": 64, "negatives": 0, "dropout": 0.1, "rate": 5e-3}


def made(kind: str = "sasrec", **options) -> SasRec:
    torch.manual_seed(1)
    network = NETWORKS[kind](
        30, **({"width": 16, "heads": 2, "layers": 2, "depth": 6, "dropout": 0.2} | options)
    ).eval()
    for parameter in network.parameters():  # biases and norms begin at 0 and 1, where a mistake would not show
        torch.nn.init.normal_(parameter, std=0.3)
    return network


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("length", [1, 2, 6])
@pytest.mark.parametrize("heads", [1, 4])
def test_numpy_forward_pass_matches_torch(kind, length, heads):
    network = made(kind, heads=heads)
    histories = np.array([np.random.default_rng(user).permutation(30)[:length] for user in range(5)])
    model = network.model(np.arange(30, dtype=np.int32))
    again = loading.load_model(model.algorithm, model.arrays())
    with torch.no_grad():
        expected = network.scores(torch.from_numpy(histories)).numpy()
    starts = np.arange(0, 5 * length + 1, length)
    assert again.batch(Sequences(histories.ravel().astype(np.int32), starts, 30)) == pytest.approx(
        expected, rel=1e-4, abs=1e-4
    )
    assert again.scores(histories[2]) == pytest.approx(expected[2], rel=1e-4, abs=1e-4)


def test_bert_masks_only_real_items_and_never_sees_its_targets():
    network = made("bert4rec")
    inputs, targets = pad([np.array([1, 2, 3, 4, 5]), np.array([7, 8])])
    torch.manual_seed(3)
    loss = network(torch.from_numpy(inputs), torch.from_numpy(targets)).item()
    # Another item behind the mask changes the loss, not the states: with the same draw only the target differs.
    states = []
    network.norm.register_forward_hook(lambda module, parameters, result: states.append(result.detach().numpy()))
    for last in (5, 6):
        network.HIDDEN, network.ENDS = 0.0, 1.0
        inputs, targets = pad([np.array([1, 2, 3, 4, last])])
        network(torch.from_numpy(inputs), torch.from_numpy(targets))
    assert np.isfinite(loss)
    assert states[0] == pytest.approx(states[1])


def test_later_items_and_padding_do_not_affect_earlier_states():
    network = made()
    inputs, _ = pad([np.array([1, 2, 3, 4, 5]), np.array([7, 8, 9])])
    alone = network.states(torch.tensor([[7, 8]])).detach().numpy()
    assert inputs[1].tolist() == [7, 8, 0, 0]
    assert network.states(torch.from_numpy(inputs))[1, :2].detach().numpy() == pytest.approx(alone[0], abs=1e-5)


def test_loss_is_cross_entropy_over_all_items_and_sampled_ones_estimate_it():
    network = made()
    inputs, targets = pad([np.array([1, 2, 3]), np.array([4, 5, 6, 7])])
    with torch.no_grad():
        scores = (network.states(torch.from_numpy(inputs)) @ network.items.weight.T).numpy()
        whole = network(torch.from_numpy(inputs), torch.from_numpy(targets)).item()
        drawn = network(torch.from_numpy(inputs), torch.from_numpy(targets), torch.randint(30, (20_000,))).item()
    own = [(row, place) for row, place in np.argwhere(targets >= 0)]
    expected = [np.log(np.exp(scores[cell]).sum()) - scores[cell][targets[cell]] for cell in own]
    assert whole == pytest.approx(np.mean(expected), rel=1e-4)
    assert drawn == pytest.approx(whole, rel=0.02)


def test_processes_share_epoch_without_overlap_and_use_newest_items():
    shares = [list(make_batches(FOUND, depth=4, size=16, seed=3, rank=rank, processes=2)) for rank in range(2)]
    assert len(shares[0]) == len(shares[1])
    rows = [tuple(row) for share in shares for _, targets in share for row in targets]
    ends = [tuple(int(item) for item in FOUND[user][1:][-4:]) for user in range(len(FOUND)) if len(FOUND[user]) >= 2]
    seen = sorted(tuple(int(item) for item in row if item >= 0) for row in rows)
    assert len(seen) >= len(ends) - 2 * 16
    for end in seen:
        ends.remove(end)  # each user at most once


@pytest.mark.parametrize(("kind", "processes"), [("sasrec", 1), ("sasrec", 2), ("bert4rec", 1), ("fm", 2)])
def test_process_group_learns_to_predict_next_item(kind, processes):
    split = split_leave_one_out(FOUND)
    plan = NetworkPlan(**SMALL | {"network": kind, "processes": processes})
    model, epoch = fit_network(split.test.fit, split.validation, plan)
    assert 1 <= epoch <= 12
    result, chance = (rank_targets(one, split.test) for one in (model, PopularityModel.fit(split.test.fit)))
    ndcg, least = (user_metrics(one.greater, one.tied)[:, 1].mean() for one in (result, chance))
    assert ndcg > 1.5 * least


def test_same_seed_gives_same_model_in_process_group():
    plan = NetworkPlan(**SMALL | {"epochs": 2}, processes=2)
    first, other = (fit_network(FOUND, None, plan)[0] for _ in range(2))
    assert all((other.arrays()[name] == array).all() for name, array in first.arrays().items())


@pytest.mark.parametrize("item", NETWORK_CANDIDATES, ids=lambda candidate: candidate.name)
def test_evaluation_runs_networks_alongside_others_and_records_epoch(item):
    candidate = RecommenderCandidate(item.name, item.fit, (SMALL | {"processes": 1},), validated=True)
    (entry,) = evaluate_all(FOUND, models=[item.name], candidates=[candidate])["models"]
    assert 1 <= entry["options"]["epochs"] <= 12
    assert entry["ndcg@10"] > 0.15
