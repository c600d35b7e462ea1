"""Runs inside a pod: bring topics, users and ACLs of a Kafka cluster to what standard input says, as JSON.

    {"bootstrap": "...", "topics": {name: {"partitions", "replicas", "config"}}, "gone": [topic],
     "users": {name: password}, "acls": {user: [{"type", "name", "pattern", "operation", "permission", "host"}]}}

A user who is not named keeps nothing: no credentials, no rights. Prints {"topics": {name: error or null}}.
"""

import json
import sys

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ConfigResource,
    ConfigResourceType,
    KafkaAdminClient,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

PATTERNS = {"literal": ACLResourcePatternType.LITERAL, "prefix": ACLResourcePatternType.PREFIXED}
TYPES = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "cluster": ResourceType.CLUSTER,
    "transactionalId": ResourceType.TRANSACTIONAL_ID,
}


def upper(name: str) -> str:
    """DescribeConfigs -> DESCRIBE_CONFIGS"""
    return "".join(f"_{c}" if c.isupper() and n else c for n, c in enumerate(name)).upper()


def topics(client: KafkaAdminClient, wanted: dict, gone: list[str]) -> dict[str, str | None]:
    present = {found["name"]: len(found["partitions"]) for found in client.describe_topics()}
    sentences: dict[str, str | None] = {}
    if new := {name: of for name, of in wanted.items() if name not in present}:
        client.create_topics(
            {
                name: {
                    "num_partitions": of["partitions"],
                    "replication_factor": of["replicas"],
                    "configs": of["config"],
                }
                for name, of in new.items()
            },
            wait_for_metadata=True,
        )
    for name, of in wanted.items():
        sentences[name] = None
        if name in new:
            continue
        if of["partitions"] < present[name]:
            sentences[name] = (
                f"has {present[name]} partitions; Kafka can't take {present[name] - of['partitions']} away"
            )
        elif of["partitions"] > present[name]:
            client.create_partitions({name: of["partitions"]})
        if of["config"]:
            client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=of["config"])])
    if doomed := [name for name in gone if name in present]:
        client.delete_topics(doomed)
    return sentences


def users(client: KafkaAdminClient, wanted: dict[str, str]) -> None:
    present = client.describe_user_scram_credentials()
    changes = [
        UserScramCredentialDeletion(name, ScramMechanism.SCRAM_SHA_512) for name in present if name not in wanted
    ]
    changes += [
        UserScramCredentialUpsertion(name, ScramMechanism.SCRAM_SHA_512, password) for name, password in wanted.items()
    ]
    if changes and (
        faults := {name: said for name, said in client.alter_user_scram_credentials(changes).items() if said}
    ):
        sys.exit(f"credentials: {faults}")


def concrete(user: str, rule: dict) -> ACL:
    pattern = ResourcePattern(TYPES[rule["type"]], rule["name"], PATTERNS[rule["pattern"]])
    operation, permission = ACLOperation[upper(rule["operation"])], ACLPermissionType[rule["permission"].upper()]
    return ACL(f"User:{user}", rule["host"], operation, permission, pattern)


def rights(client: KafkaAdminClient, wanted: dict[str, list[dict]]) -> None:
    everything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    result, _ = client.describe_acls(ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, everything))
    rules = [concrete(user, rule) for user, list_ in wanted.items() for rule in list_]
    new = [rule for rule in rules if rule not in result]
    if new and (faults := client.create_acls(new)["failed"]):
        sys.exit(f"ACLs: {faults}")
    for old in (rule for rule in result if rule not in rules):
        of = old.resource_pattern
        pattern = ResourcePatternFilter(of.resource_type, of.resource_name, of.pattern_type)
        client.delete_acls([ACLFilter(old.principal, old.host, old.operation, old.permission_type, pattern)])


def main() -> None:
    parameters = json.load(sys.stdin)
    client = KafkaAdminClient(
        bootstrap_servers=parameters["bootstrap"],
        security_protocol="SSL",
        ssl_cafile="/etc/certs/ca.crt",
        ssl_certfile="/etc/certs/tls.crt",
        ssl_keyfile="/etc/certs/tls.key",
    )
    output = topics(client, parameters["topics"], parameters["gone"])
    users(client, parameters["users"])
    rights(client, parameters["acls"])
    print(json.dumps({"topics": output}))


if __name__ == "__main__":
    main()
