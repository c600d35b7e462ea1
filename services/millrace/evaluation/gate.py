"""The gate of recommenders: a new version serves only if it is not worse than the champion for the same users."""

from dataclasses import dataclass

from millrace.settings import settings


@dataclass(frozen=True)
class RecommenderVerdict:
    """NDCG@10 of both on the same users' next items, which neither was fitted on."""

    passed: bool
    sentence: str


def judge(ndcg: float, champion: tuple[str, float] | None, users: int) -> RecommenderVerdict:
    """`champion`: its version and its NDCG@10, or None where there is none yet."""
    if champion is None:
        return RecommenderVerdict(True, f"passed: the first version, NDCG@10 {ndcg:.4f} for {users} held-out users")
    version, other = champion
    margin = settings().gate_margin
    passed = ndcg >= other - margin
    return RecommenderVerdict(
        passed,
        f"{'passed' if passed else 'refused'}: NDCG@10 {ndcg:.4f} against {other:.4f} of {version} for the "
        f"same {users} held-out users, margin {margin:g}",
    )
