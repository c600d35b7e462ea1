"""A stand-in for AWS: moto, and in front of it the calls of EKS and MSK that moto does not know.

    python -m tests.terraform.aws

It prints its port, and ends with its standard input.
"""

import io
import json
import os
import re
import sys
import threading
import uuid
from collections.abc import Callable, Iterable
from typing import Any

os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"  # read once, at the import

import moto.eks.models as eks
import moto.kafka.models as kafka
from moto.ec2.models import ec2_backends
from moto.kafka.exceptions import NotFoundException
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

ADDONS = re.compile(r"^/clusters/(?P<cluster>[^/]+)/addons(/(?P<key>[^/]+))?$")
ASSOCIATIONS = re.compile(r"^/clusters/(?P<cluster>[^/]+)/pod-identity-associations(/(?P<key>[^/]+))?$")
ACCESS: dict[str, Any] = {}
BROKERS = re.compile(r"^/v1/clusters/.+/bootstrap-brokers$")


class Kept:
    """One kind of thing that belongs to an EKS cluster: made, shown, listed, changed and removed by its key."""

    def __init__(self, name: str, plural: str, key: str):
        self.name, self.plural, self.key = name, plural, key
        self.things: dict[tuple[str, str], dict[str, Any]] = {}

    def answer(self, method: str, cluster: str, key: str | None, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if method == "POST" and key is None:
            key = body.get(self.key) or f"a-{uuid.uuid4().hex[:17]}"
            arn = f"arn:aws:eks:eu-central-1:123456789012:{self.name}/{cluster}/{key}"
            self.things[cluster, key] = {
                "clusterName": cluster,
                "status": "ACTIVE",
                f"{self.name}Arn": arn,
                **body,
                self.key: key,
            }
        elif key is None:
            listed = [thing for (of, _), thing in self.things.items() if of == cluster]
            return 200, {self.plural: [thing[self.key] if self.name == "addon" else thing for thing in listed]}
        if (cluster, key) not in self.things:
            return 404, {"message": f"No {self.name} {key} in {cluster}."}
        if method == "POST":
            self.things[cluster, key] |= body
        return 200, {self.name: self.things.pop((cluster, key)) if method == "DELETE" else self.things[cluster, key]}


class Server:
    def __init__(self) -> None:
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.addons = Kept("addon", "addons", "addonName")
        self.associations = Kept("association", "associations", "associationId")

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if BROKERS.match(path):
            status, answer = 200, {"bootstrapBrokerStringSaslIam": "boot-trial.kafka-serverless.amazonaws.com:9098"}
        elif (match := ADDONS.match(path)) or (match := ASSOCIATIONS.match(path)):
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            kept = self.addons if "/addons" in path else self.associations
            status, answer = kept.answer(method, match["cluster"], match["key"], json.loads(body or "{}"))
        else:
            if (method, path) == ("POST", "/clusters"):
                body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
                ACCESS[json.loads(body)["name"]] = json.loads(body).get("accessConfig")
                environ["wsgi.input"] = io.BytesIO(body)
            return self.moto(environ, start_response)
        headers = [("Content-Type", "application/json")]
        if status == 404:
            headers.append(("x-amzn-ErrorType", "ResourceNotFoundException"))
        start_response(f"{status} -", headers)
        return [json.dumps(answer).encode()]


def mend_kafka() -> None:
    """moto's clusters stay in CREATING for ever, have ARNs from which no topic's can be made, and fail when unknown."""
    made, described = kafka.FakeKafkaCluster.__init__, kafka.KafkaBackend.describe_cluster_v2

    def active(self: Any, *args: Any, **named: Any) -> None:
        made(self, *args, **(named | {"state": "ACTIVE"}))

    def arn(self: Any) -> str:
        return f"arn:aws:kafka:{self.region_name}:{self.account_id}:cluster/{self.cluster_name}/{self.cluster_id}-s1"

    def describe(self: Any, cluster_arn: str) -> dict[str, Any]:
        if cluster_arn not in self.clusters:
            raise NotFoundException(f"There is no cluster {cluster_arn}.")
        return described(self, cluster_arn)

    kafka.FakeKafkaCluster.__init__ = active
    kafka.FakeKafkaCluster._generate_arn = arn
    kafka.KafkaBackend.describe_cluster_v2 = describe


def mend_eks() -> None:
    """EKS makes a security group for its nodes and removes it with the cluster, shows who
    may get in, and invents no SSH key for node groups."""
    create, delete = eks.EKSBackend.create_cluster, eks.EKSBackend.delete_cluster

    def create_cluster(self: Any, **named: Any) -> Any:
        ec2 = ec2_backends[self.account_id][self.region_name]
        network = dict(named["resources_vpc_config"])
        vpc = ec2.get_subnet(network["subnetIds"][0]).vpc_id
        group = ec2.create_security_group(f"eks-cluster-sg-{named['name']}", "nodes", vpc_id=vpc)
        network |= {"clusterSecurityGroupId": group.id, "vpcId": vpc}
        cluster = create(self, **(named | {"resources_vpc_config": network}))
        cluster.access_config = ACCESS.get(named["name"])
        return cluster

    def delete_cluster(self: Any, name: str) -> Any:
        cluster = delete(self, name)
        ec2_backends[self.account_id][self.region_name].delete_security_group(
            group_id=cluster.resources_vpc_config["clusterSecurityGroupId"]
        )
        return cluster

    def create_nodegroup(self: Any, **named: Any) -> Any:
        group = create_group(self, **named)
        group.remote_access = named.get("remote_access")
        return group

    eks.EKSBackend.create_cluster, eks.EKSBackend.delete_cluster = create_cluster, delete_cluster
    create_group, eks.EKSBackend.create_nodegroup = eks.EKSBackend.create_nodegroup, create_nodegroup


class Quiet(WSGIRequestHandler):
    def log_request(self, *args: Any) -> None:
        pass


def main() -> None:
    mend_kafka()
    mend_eks()
    server = make_server("127.0.0.1", 0, Server(), threaded=True, request_handler=Quiet)
    print(server.server_port, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
