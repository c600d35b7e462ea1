"""terraform/modules/aws, applied by the real provider to a stand-in for AWS, and what is there afterwards."""

import json
from typing import Any

import pytest

from tests.terraform.conftest import Aws


def named(tags: list[dict[str, str]]) -> str:
    return next((tag["Value"] for tag in tags if tag["Key"] == "Name"), "")


@pytest.mark.parametrize("kind", ["lake", "models"])
def test_buckets_are_versioned_encrypted_private_and_tls_only(aws: Aws, made: dict[str, Any], kind: str):
    s3, bucket = aws.client("s3"), made["buckets"][kind]

    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    rule = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
    rule = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]
    assert rule["NoncurrentVersionExpiration"]["NoncurrentDays"] >= 14
    assert rule["AbortIncompleteMultipartUpload"]
    assert "Expiration" not in rule, "a rule would remove objects that are in use"
    statement = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][0]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_subnets_span_three_zones_each_with_its_own_nat_gateway(aws: Aws, made: dict[str, Any]):
    ec2 = aws.client("ec2")
    for kind in ("public", "private"):
        zones = {s["AvailabilityZone"] for s in aws.subnets() if named(s["Tags"]).startswith(f"trial-{kind}")}
        assert len(zones) == 3

    tables = [t for t in ec2.describe_route_tables()["RouteTables"] if named(t["Tags"]).startswith("trial-private")]
    gateways = {route["NatGatewayId"] for table in tables for route in table["Routes"] if "NatGatewayId" in route}
    assert len(tables) == len(gateways) == 3
    (endpoint,) = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    assert endpoint["VpcEndpointType"] == "Gateway"
    assert set(endpoint["RouteTableIds"]) == {table["RouteTableId"] for table in tables}


def test_cluster_encrypts_secrets_and_disables_public_access_by_default(aws: Aws, made: dict[str, Any]):
    cluster = aws.client("eks").describe_cluster(name="trial")["cluster"]

    assert cluster["encryptionConfig"][0]["resources"] == ["secrets"]
    assert ":key/" in cluster["encryptionConfig"][0]["provider"]["keyArn"]
    network = cluster["resourcesVpcConfig"]
    assert (network["endpointPublicAccess"], network["endpointPrivateAccess"]) == (False, True)
    private = {s["SubnetId"] for s in aws.subnets() if "private" in named(s["Tags"])}
    assert set(network["subnetIds"]) == private
    assert cluster["accessConfig"]["authenticationMode"] == "API"


def test_only_spark_nodes_are_spot_and_taint_keeps_other_pods_off(aws: Aws, made: dict[str, Any]):
    eks = aws.client("eks")
    groups = {
        name: eks.describe_nodegroup(clusterName="trial", nodegroupName=name)["nodegroup"]
        for name in eks.list_nodegroups(clusterName="trial")["nodegroups"]
    }

    assert {name: group["capacityType"] for name, group in groups.items()} == {"platform": "ON_DEMAND", "spark": "SPOT"}
    (taint,) = groups["spark"]["taints"]
    assert taint == {"key": "millrace.io/pool", "value": "spark", "effect": "NO_SCHEDULE"}
    assert groups["spark"]["labels"] == {"millrace.io/pool": "spark"}
    assert len(groups["spark"]["instanceTypes"]) >= 3
    assert not groups["platform"].get("taints")
    scheduling = made["settings"]["training"]["executor"]["scheduling"]
    assert scheduling["nodeSelector"] == groups["spark"]["labels"]
    (toleration,) = scheduling["tolerations"]
    assert (toleration["key"], toleration["value"]) == (taint["key"], taint["value"])


def test_nodes_hide_credentials_from_pods_and_encrypt_disks(aws: Aws, made: dict[str, Any]):
    template = aws.client("ec2").describe_launch_template_versions(LaunchTemplateName="trial-node")
    data = template["LaunchTemplateVersions"][-1]["LaunchTemplateData"]

    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True


def test_image_tags_are_immutable_and_images_are_scanned(aws: Aws, made: dict[str, Any]):
    result = aws.client("ecr").describe_repositories()["repositories"]

    assert {repository["repositoryName"] for repository in result} == {
        f"trial/millrace-{image}" for image in ("api", "spark", "connect", "ingest")
    }
    assert {repository["imageTagMutability"] for repository in result} == {"IMMUTABLE"}
    assert all(repository["imageScanningConfiguration"]["scanOnPush"] for repository in result)


def test_catalog_is_private_and_encrypted_with_password_kept_out_of_state(aws: Aws, made: dict[str, Any]):
    (database,) = aws.client("rds").describe_db_instances()["DBInstances"]
    assert database["StorageEncrypted"] is True
    assert database["PubliclyAccessible"] is False
    assert database["BackupRetentionPeriod"] >= 7

    password = aws.client("secretsmanager").get_secret_value(SecretId=made["catalog_secret"]["arn"])["SecretString"]
    assert len(password) == 40
    assert password not in (aws.folder / "terraform.tfstate").read_text()


def test_databases_and_brokers_accept_traffic_from_nodes_only(aws: Aws, made: dict[str, Any]):
    nodes = aws.client("eks").describe_cluster(name="trial")["cluster"]["resourcesVpcConfig"]["clusterSecurityGroupId"]
    groups = {group["GroupName"]: group for group in aws.client("ec2").describe_security_groups()["SecurityGroups"]}

    for name, port in {"trial-catalog": 5432, "trial-kafka": 9098}.items():
        (rule,) = groups[name]["IpPermissions"]
        assert (rule["FromPort"], rule["ToPort"]) == (port, port)
        assert [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == [nodes]
        assert not rule["IpRanges"]


def test_addons_provide_pod_identity_volumes_and_enforced_network_policies(aws: Aws, made: dict[str, Any]):
    eks = aws.client("eks")
    assert {
        "eks-pod-identity-agent",
        "aws-ebs-csi-driver",
        "vpc-cni",
        "metrics-server",
        "coredns",
        "kube-proxy",
    } == set(eks.list_addons(clusterName="trial")["addons"])
    network = eks.describe_addon(clusterName="trial", addonName="vpc-cni")["addon"]
    assert json.loads(network["configurationValues"]) == {"enableNetworkPolicy": "true"}


def test_cluster_open_to_whole_internet_is_rejected(aws: Aws, made: dict[str, Any]):
    with pytest.raises(AssertionError, match="name your own addresses"):
        aws.apply(api_access_cidrs=["0.0.0.0/0"])


def test_network_traffic_logs_are_retained_for_one_month(aws: Aws, made: dict[str, Any]):
    (flow,) = aws.client("ec2").describe_flow_logs()["FlowLogs"]
    assert flow["TrafficType"] == "ALL"
    (group,) = aws.client("logs").describe_log_groups(logGroupNamePrefix="/aws/vpc/trial/flow")["logGroups"]
    assert flow["LogDestination"] == group["arn"].removesuffix(":*")
    assert group["retentionInDays"] == 30


def test_catalog_database_exports_logs_and_upgrades_minor_versions(aws: Aws, made: dict[str, Any]):
    (database,) = aws.client("rds").describe_db_instances()["DBInstances"]
    assert database["AutoMinorVersionUpgrade"]
    assert set(database["EnabledCloudwatchLogsExports"]) == {"postgresql", "upgrade"}
