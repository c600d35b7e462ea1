"""Write tests/chart/schemas/kinds.json: strict JSON schemas of the kinds that the chart renders.

    tools/vendor_schemas.py --kubernetes swagger.json [CRD.yaml-or-folder...]

`swagger.json` is `api/openapi-spec/swagger.json` of the k8s.io/kubernetes module, the CRDs come from the operators'
releases (tests/chart/schemas/README.md names the versions); a kind whose CRD is not given stays as it is.
Descriptions are left out, a field that is not declared is refused, and what occurs more than once is kept once.
"""

import argparse
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).parents[1] / "tests/chart/schemas/kinds.json"
OURS = {
    "admissionregistration.k8s.io/v1": ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
    "v1": ("ConfigMap", "Pod", "Secret", "Service", "ServiceAccount"),
    "apps/v1": ("Deployment", "StatefulSet"),
    "autoscaling/v2": ("HorizontalPodAutoscaler",),
    "batch/v1": ("CronJob", "Job"),
    "gateway.networking.k8s.io/v1": ("HTTPRoute",),
    "kafka.strimzi.io/v1": ("Kafka", "KafkaConnect", "KafkaConnector", "KafkaNodePool", "KafkaTopic", "KafkaUser"),
    "monitoring.coreos.com/v1": ("PodMonitor", "PrometheusRule", "ServiceMonitor"),
    "networking.k8s.io/v1": ("Ingress", "NetworkPolicy"),
    "policy/v1": ("PodDisruptionBudget",),
    "rbac.authorization.k8s.io/v1": ("Role", "RoleBinding"),
    "sparkoperator.k8s.io/v1beta2": ("ScheduledSparkApplication", "SparkApplication"),
}
KEPT = {"type", "enum", "pattern", "required", "minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength"}
NUMBER_OR_TEXT = {"type": ["integer", "number", "string"]}
METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
WORTH_SHARING = 200  # characters


def strict(part: object, closed: bool = True) -> object:
    """A schema of OpenAPI as strict JSON schema. `closed` is False inside oneOf and its kin, which only add."""
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return {"$ref": "#/$defs/" + part["$ref"].removeprefix("#/definitions/")}
    if part.get("x-kubernetes-int-or-string") or part.get("format") == "int-or-string":
        return NUMBER_OR_TEXT
    result = {key: value for key, value in part.items() if key in KEPT}
    if "properties" in part:
        result["properties"] = {key: strict(value, closed) for key, value in part["properties"].items()}
        if closed and not part.get("x-kubernetes-preserve-unknown-fields") and "additionalProperties" not in part:
            result["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if isinstance(part.get(key), dict):
            result[key] = strict(part[key], closed)
    for key in ("oneOf", "anyOf", "allOf"):
        if key in part:
            result[key] = [strict(item, closed=False) for item in part[key]]
    if "not" in part:
        result["not"] = strict(part["not"], closed=False)
    if part.get("nullable") and isinstance(result.get("type"), str):
        result["type"] = [result["type"], "null"]
    return result


def of_kubernetes(swagger: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Definitions, and "<apiVersion>/<kind>" -> the name of its definition."""
    raw = json.loads(swagger.read_text())["definitions"]
    names = {}
    for name, part in raw.items():
        for kind in part.get("x-kubernetes-group-version-kind", ()):
            version = "/".join(filter(None, (kind["group"], kind["version"])))
            names[f"{version}/{kind['kind']}"] = name
    definitions = {name: strict(part) for name, part in raw.items()}
    definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"] = NUMBER_OR_TEXT
    return definitions, names


def of_crds(paths: list[Path]) -> dict[str, Any]:
    """Schemas by "<apiVersion>/<kind>"."""
    results = {}
    files = [file for path in paths for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]
    for crd in (crd for file in files for crd in yaml.load_all(file.read_text(), yaml.CSafeLoader) if crd):
        if crd.get("kind") != "CustomResourceDefinition":
            continue
        for version in crd["spec"]["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            schema["properties"]["metadata"] = {"$ref": f"#/definitions/{METADATA}"}
            schema["properties"].pop("status", None)
            results[f"{crd['spec']['group']}/{version['name']}/{crd['spec']['names']['kind']}"] = strict(schema)
    return results


def find_references(part: object, definitions: dict[str, Any], seen: set[str]) -> set[str]:
    """Names of all definitions that a schema leads to."""
    if isinstance(part, dict):
        name = str(part.get("$ref", "")).removeprefix("#/$defs/")
        if name and name not in seen:
            seen.add(name)
            find_references(definitions[name], definitions, seen)
        for value in part.values():
            find_references(value, definitions, seen)
    elif isinstance(part, list):
        for value in part:
            find_references(value, definitions, seen)
    return seen


def text(part: object) -> str:
    return json.dumps(part, sort_keys=True, separators=(",", ":"))


def over_parts(schema: dict[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """The schema with `change` done to each schema directly below it."""
    result = dict(schema)
    if "properties" in schema:
        result["properties"] = {key: change(value) for key, value in schema["properties"].items()}
    for key in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(key), dict):
            result[key] = change(schema[key])
    for key in ("oneOf", "anyOf", "allOf"):
        if key in schema:
            result[key] = [change(item) for item in schema[key]]
    return result


def share_definitions(schemas: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The schemas with each part that occurs more than once moved into `definitions`."""
    counts: Counter[str] = Counter()

    def count(schema: dict[str, Any]) -> dict[str, Any]:
        counts[text(schema)] += 1
        return over_parts(schema, count)

    def replace(schema: dict[str, Any]) -> dict[str, Any]:
        whole = text(schema)
        smaller = over_parts(schema, replace)
        if counts[whole] < 2 or len(whole) < WORTH_SHARING:
            return smaller
        name = "part." + hashlib.blake2b(whole.encode(), digest_size=5).hexdigest()
        definitions[name] = smaller
        return {"$ref": f"#/$defs/{name}"}

    for schema in schemas.values():
        count(schema)
    return {kind: replace(schema) for kind, schema in schemas.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("crds", nargs="*", type=Path)
    parser.add_argument("--kubernetes", required=True, type=Path)
    asked = parser.parse_args()
    before = json.loads(FILE.read_text())
    definitions, names = of_kubernetes(asked.kubernetes)
    definitions = before["$defs"] | definitions
    crds = of_crds(asked.crds)
    kinds = [f"{version}/{kind}" for version, of in OURS.items() for kind in of]
    custom = {kind: before["kinds"][kind] for kind in kinds if kind not in names and kind not in crds}
    custom |= share_definitions({kind: crds[kind] for kind in kinds if kind in crds}, definitions)
    schemas = {kind: custom.get(kind) or {"$ref": f"#/$defs/{names[kind]}"} for kind in kinds}
    needed = find_references(schemas, definitions, set())
    lines = [f"  {json.dumps(name)}: {text(definitions[name])}" for name in sorted(needed)]
    kept = [f"  {json.dumps(kind)}: {text(schemas[kind])}" for kind in sorted(schemas)]
    FILE.write_text('{"$defs": {\n' + ",\n".join(lines) + '\n},\n"kinds": {\n' + ",\n".join(kept) + "\n}}\n")
    print(f"{FILE.name}: {len(schemas)} kinds, {len(needed)} parts, {FILE.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
