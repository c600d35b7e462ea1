"""Components held to millrace.rights do all their work, and nothing beside it."""

import re
from dataclasses import replace

import pytest

from millrace.errors import UnavailableError
from millrace.registry.registry import Registry
from millrace.registry.store import ObjectStore
from millrace.rights import COMPONENTS, ComponentRights
from millrace.settings import settings
from tests.registry.deeds import LAKE, MODELS, acting, do, enforced_s3, first_day, publish

ARN = {"lake": f"arn:aws:s3:::{LAKE}", "models": f"arn:aws:s3:::{MODELS}"}


def statements(rights: ComponentRights) -> list[dict]:
    """As Terraform's identities.tf writes them; tests/terraform runs the same on what it made."""

    def under(prefixes: dict[str, tuple[str, ...]]) -> list[str]:
        return [f"{ARN[bucket]}/{prefix}*" for bucket, found in prefixes.items() for prefix in found]

    listed = ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"]
    written = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    parts = [
        (listed, [ARN[bucket] for bucket in rights.buckets]),
        (["s3:GetObject"], under(rights.read)),
        (written, under(rights.write)),
    ]
    return [{"Effect": "Allow", "Action": actions, "Resource": resources} for actions, resources in parts if resources]


def without(rights: ComponentRights, kind: str, bucket: str, prefix: str) -> ComponentRights:
    """The rights less one prefix; what is listed stays, or everything would fail."""
    fewer = {
        name: tuple(one for one in prefixes if (name, one) != (bucket, prefix))
        for name, prefixes in getattr(rights, kind).items()
    }
    return replace(rights, **{kind: fewer})


ONE_LESS = {
    f"{component} without {kind} {bucket} {prefix}": (component, without(rights, kind, bucket, prefix))
    for component, rights in COMPONENTS.items()
    for kind in ("read", "write")
    for bucket, prefixes in getattr(rights, kind).items()
    for prefix in prefixes
}


def key_of(name: str) -> str:
    """An access key of that name."""
    return re.sub(r"\W+", "-", name)


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory):
    policies = {component: statements(rights) for component, rights in COMPONENTS.items()}
    policies |= {key_of(name): statements(rights) for name, (_, rights) in ONE_LESS.items()}
    with enforced_s3(policies, tmp_path_factory.mktemp("rights")) as result:
        yield result


@pytest.fixture(scope="module")
def day(variables: dict[str, str]) -> None:
    """The first day of all components."""
    first_day(variables)


def test_each_component_can_do_its_work(day: None, variables: dict[str, str]):
    with acting("api", variables):
        assert len(Registry().versions("courses", "price")) >= 3
        assert Registry().champion("courses", "price").previous


@pytest.mark.parametrize("name", ONE_LESS)
def test_every_granted_right_is_needed(day: None, variables: dict[str, str], name: str):
    component, _ = ONE_LESS[name]
    with acting(key_of(name), variables), pytest.raises((UnavailableError, OSError), match=r"(?i)access.?denied"):
        do(component)


@pytest.mark.parametrize("component", sorted(COMPONENTS.keys() - {"train"}))
def test_only_training_can_publish(day: None, variables: dict[str, str], component: str):
    with acting(component, variables), pytest.raises(UnavailableError, match="AccessDenied"):
        publish()


@pytest.mark.parametrize("component", ["api", "ingest"])
def test_lake_is_closed_to_components_that_do_not_need_it(day: None, variables: dict[str, str], component: str):
    with acting(component, variables), pytest.raises(UnavailableError, match="AccessDenied"):
        ObjectStore(settings().lake_bucket).keys("warehouse/")


@pytest.mark.parametrize("component", sorted(COMPONENTS))
def test_writes_outside_prefixes_are_denied(day: None, variables: dict[str, str], component: str):
    with acting(component, variables):
        for bucket in (LAKE, MODELS):
            with pytest.raises(UnavailableError, match="AccessDenied"):
                ObjectStore(bucket).put("elsewhere/x", b"")


def test_denied_promotion_does_not_abort_training(variables: dict[str, str], day: None):
    from millrace.training.context import TrainingContext

    with acting("train", variables):
        version = publish()
    with acting("api", variables):
        training = TrainingContext.__new__(TrainingContext)
        training.registry, training.workload = Registry(), type("Named", (), {"name": "courses"})
        champion = training.registry.champion("courses", "price")
        promoted, why = training.promote("price", version, champion, True, "passed")
    assert not promoted
    assert "AccessDenied" in why


def test_training_publishes_and_keeps_back_what_a_pin_forbids(variables: dict[str, str], day: None):
    from millrace.training.context import TrainingContext

    with acting("train", variables):
        registry = Registry()
        champion, version = registry.pin("courses", "price"), publish()
        training = TrainingContext.__new__(TrainingContext)
        training.registry, training.workload = registry, type("Named", (), {"name": "courses"})
        try:
            promoted, why = training.promote("price", version, champion, True, "passed")
            assert registry.champion("courses", "price") == champion
            assert version in registry.versions("courses", "price")
        finally:
            registry.unpin("courses", "price")
    assert not promoted
    assert why.startswith(f"pinned to {champion.version} since ")
    assert why.endswith(" by pin; `millrace models unpin courses/price` lifts it")
