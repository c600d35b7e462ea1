"""What each component may do in AWS: no more than it needs, and only from its own service account."""

import json
from pathlib import Path
from typing import Any

import pytest

from millrace.errors import UnavailableError
from tests.registry.deeds import acting, enforced_s3, first_day, publish
from tests.terraform.conftest import Aws

COMPONENTS = ["api", "connect", "train", "ingest", "provision", "online", "stream"]


def statements(aws: Aws, component: str) -> list[dict[str, Any]]:
    iam, role = aws.client("iam"), f"trial-{component}"
    results = []
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        results += (json.loads(document) if isinstance(document, str) else document)["Statement"]
    return results


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def allowed(aws: Aws, component: str, action: str) -> set[str]:
    """The resources for which a component may do something."""
    result = [s for s in statements(aws, component) if action in listed(s["Action"])]
    return {resource for statement in result for resource in listed(statement["Resource"])}


@pytest.mark.parametrize("component", COMPONENTS)
def test_no_policy_grants_wildcard_actions_or_resources(aws: Aws, made: dict[str, Any], component: str):
    assert statements(aws, component)
    for statement in statements(aws, component):
        assert statement["Effect"] == "Allow"
        for action in listed(statement["Action"]):
            assert "*" not in action
        for resource in listed(statement["Resource"]):
            assert resource != "*"
            if resource.startswith("arn:aws:s3:::"):
                assert "*" not in resource.split("/")[0], "a pattern over buckets"


def test_api_reads_models_and_deltas_and_writes_only_event_topics(aws: Aws, made: dict[str, Any]):
    models = f"arn:aws:s3:::{made['buckets']['models']}"
    actions = {action for statement in statements(aws, "api") for action in listed(statement["Action"])}

    assert allowed(aws, "api", "s3:GetObject") == {f"{models}/models/*"}
    assert allowed(aws, "api", "s3:ListBucket") == {models}
    assert not {action for action in actions if "Put" in action or "Delete" in action}
    written = {arn.split("/")[-1] for arn in allowed(aws, "api", "kafka-cluster:WriteData")}
    read = {arn.split("/")[-1] for arn in allowed(aws, "api", "kafka-cluster:ReadData")}
    assert written == {"mooc.records", "shop.records"}
    assert read == {"mooc.deltas", "shop.deltas", "urls.deltas"}
    assert "kms:GenerateDataKey" not in actions


def test_models_are_written_by_training_only_and_lake_by_its_writers_only(aws: Aws, made: dict[str, Any]):
    lake, models = (f"arn:aws:s3:::{made['buckets'][kind]}" for kind in ("lake", "models"))
    writes = {component: allowed(aws, component, "s3:PutObject") for component in COMPONENTS}

    assert writes == {
        "api": set(),
        "ingest": set(),
        "online": set(),
        "stream": {f"{lake}/warehouse/*"},
        "connect": {f"{lake}/warehouse/*"},
        "provision": {f"{lake}/warehouse/*", f"{lake}/catalog/*", f"{models}/doctor/*"},
        "train": {f"{lake}/warehouse/*", *(f"{models}/{prefix}/*" for prefix in ("models", "moves", "continual"))},
    }
    assert allowed(aws, "online", "s3:GetObject") == {f"{lake}/warehouse/*", f"{models}/models/*"}
    assert allowed(aws, "ingest", "s3:GetObject") == {"arn:aws:s3:::sources/courses/*"}


def test_created_policies_allow_each_component_to_do_all_its_work(aws: Aws, made: dict[str, Any], tmp_path: Path):
    policies = {component: statements(aws, component) for component in COMPONENTS}
    with enforced_s3(policies, tmp_path, made["buckets"]["lake"], made["buckets"]["models"]) as variables:
        first_day(variables)
        with acting("api", variables), pytest.raises(UnavailableError, match="AccessDenied"):
            publish()


def test_each_component_can_access_only_its_own_kafka_topics(aws: Aws, made: dict[str, Any]):
    def topics(component: str, action: str) -> set[str]:
        result = allowed(aws, component, f"kafka-cluster:{action}")
        assert all(arn.startswith("arn:aws:kafka:eu-central-1:123456789012:topic/trial/") for arn in result)
        return {arn.split("/")[-1] for arn in result}

    assert topics("ingest", "WriteData") >= {"courses.records", "courses.rejected", "ingest.receipts"}
    assert not topics("ingest", "WriteData") & {"lake.control", "connect.rejected", "connect.offsets"}
    assert topics("connect", "ReadData") >= {"courses.records", "lake.control"}
    assert not {name for name in topics("connect", "WriteData") if name.endswith(".records")}
    assert topics("provision", "WriteData") == set()
    assert topics("provision", "ReadData") == {"lake.control"}
    assert topics("provision", "CreateTopic") >= {"courses.records", "lake.control", "connect.rejected"}
    assert topics("ingest", "CreateTopic") == topics("train", "WriteData") == set()
    assert topics("online", "WriteData") == {"mooc.deltas", "shop.deltas"}
    assert topics("online", "ReadData") == {"mooc.deltas", "shop.deltas", "mooc.records", "shop.records"}
    assert topics("stream", "WriteData") >= {"urls.deltas", "urls.cluster.0", "urls.cluster.9"}
    assert topics("stream", "ReadData") == topics("stream", "WriteData") | {"urls.records"}
    groups = {
        component: {arn.split("/")[-1] for arn in allowed(aws, component, "kafka-cluster:AlterGroup")}
        for component in ("stream", "provision")
    }
    assert groups == {"stream": {"spark-kafka-source-*"}, "provision": {"connect-lake-*"}}


@pytest.mark.parametrize("component", COMPONENTS)
def test_role_is_assumable_only_by_its_service_account_in_this_cluster(aws: Aws, made: dict[str, Any], component: str):
    document = aws.client("iam").get_role(RoleName=f"trial-{component}")["Role"]["AssumeRolePolicyDocument"]
    (statement,) = document["Statement"]
    wanted = statement["Condition"]["StringEquals"]
    eks, accounts = aws.client("eks"), set()
    for entry in eks.list_pod_identity_associations(clusterName="trial")["associations"]:
        pod_identity_association = eks.describe_pod_identity_association(
            clusterName="trial", associationId=entry["associationId"]
        )
        if pod_identity_association["association"]["roleArn"] == made["roles"][component]:
            accounts.add(pod_identity_association["association"]["serviceAccount"])

    assert statement["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert wanted["aws:RequestTag/kubernetes-namespace"] == "millrace"
    assert wanted["aws:RequestTag/eks-cluster-arn"].endswith(":cluster/trial")
    assert set(listed(wanted["aws:RequestTag/kubernetes-service-account"])) == accounts
    assert f"millrace-{component}" in accounts


def test_nodes_have_no_access_to_data(aws: Aws, made: dict[str, Any]):
    iam = aws.client("iam")
    attached = iam.list_attached_role_policies(RoleName="trial-node")["AttachedPolicies"]

    assert {policy["PolicyName"] for policy in attached} == {
        "AmazonEKSWorkerNodePolicy",
        "AmazonEKS_CNI_Policy",
        "AmazonEC2ContainerRegistryPullOnly",
    }
    assert iam.list_role_policies(RoleName="trial-node")["PolicyNames"] == []
