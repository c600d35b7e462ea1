"""What can be said of Terraform's text without its providers: all of them but that of AWS are out of reach here."""

import re
from pathlib import Path

import pytest

from tests.terraform.conftest import ROOT, terraform

FOLDERS = [ROOT / "terraform" / name for name in ("aws", "kind", "modules/aws", "modules/platform")]
DECLARED = re.compile(
    r'^(?P<kind>variable|resource|data|ephemeral|module|output) "(?P<first>[^"]+)"( "(?P<second>[^"]+)")?', re.M
)
LOCAL = re.compile(r"^locals \{\n(?P<body>.*?)^\}", re.M | re.S)
USED = re.compile(
    r"(?<![\w.\"-])(?P<whole>(?:var|local|module|data|ephemeral|[a-z]+_[a-z0-9_]+)\.[a-z_][\w-]*(?:\.[a-z_][\w-]*)*)"
)


def text(folder: Path) -> str:
    return "\n".join(file.read_text() for file in sorted(folder.glob("*.tf")))


def code(folder: Path) -> str:
    """The text without comments and without the words of strings; what stands in ${} stays."""
    plain = re.sub(r"(?m)(^|\s)#.*$", "", text(folder))
    return re.sub(r'"(?:[^"\\]|\\.)*"', lambda result: " ".join(re.findall(r"\$\{([^}]*)\}", result[0])), plain)


def declared(folder: Path) -> set[str]:
    names = set()
    for result in DECLARED.finditer(text(folder)):
        kind, first, second = result["kind"], result["first"], result["second"]
        prefix = {"variable": "var", "module": "module", "data": "data", "ephemeral": "ephemeral", "output": "output"}
        names.add(".".join(filter(None, [prefix.get(kind), first, second])))
    for block in LOCAL.finditer(text(folder)):
        names |= {f"local.{name}" for name in re.findall(r"(?m)^  ([a-z_]+) +=", block["body"])}
    return names


@pytest.fixture(params=FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def folder(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_all_terraform_files_are_formatted(engines):
    terraform("fmt", "-check", "-recursive", "-diff", ".", folder=ROOT / "terraform")
    terraform("fmt", "-check", "-recursive", "-diff", ".", folder=ROOT / "tests/terraform")


def test_all_references_are_declared(folder: Path):
    names = declared(folder)
    blocks = set(re.findall(r'dynamic "(\w+)"', text(folder)))
    unknown = set()
    for result in USED.finditer(code(folder)):
        parts = result["whole"].split(".")
        length = 3 if parts[0] in ("data", "ephemeral") else 2
        if parts[0] not in blocks and ".".join(parts[:length]) not in names:
            unknown.add(result["whole"])
    assert not unknown


def test_module_calls_use_only_declared_variables_and_outputs(folder: Path):
    for name, body in re.findall(r'(?ms)^module "(\w+)" \{\n(.*?)^\}', text(folder)):
        source = (folder / re.search(r'source += "([^"]+)"', body)[1]).resolve()
        arguments = set(re.findall(r"(?m)^  (\w+) +=", body)) - {
            "source",
            "count",
            "for_each",
            "depends_on",
            "providers",
        }
        assert {f"var.{argument}" for argument in arguments} <= declared(source)
        required = set(re.findall(r'(?ms)^variable "(\w+)" \{\n(?:(?!^\}|^  default).)*^\}', text(source)))
        assert required <= arguments
        for output in re.findall(rf"module\.{name}\.(\w+)", code(folder)):
            assert f"output.{output}" in declared(source)


def test_every_provider_and_chart_is_pinned(folder: Path):
    required = re.search(r"(?ms)required_providers \{(.*?)^  \}", text(folder))[1]
    versions = re.findall(r'version = "([^"]+)"', required)
    assert len(versions) == required.count("source")
    for version in versions:
        assert re.match(r"^(\d+\.\d+\.\d+|~> \d+\.\d+|>= [\d.]+, < [\d.]+)$", version), version
    for release in re.findall(r'(?ms)^resource "helm_release" "\w+" \{\n(.*?)^\}', text(folder)):
        assert ("repository" in release) == ("version" in release)


def test_variables_and_outputs_have_descriptions(folder: Path):
    for kind, name, body in re.findall(r'(?ms)^(variable|output) "(\w+)" \{\n(.*?)^\}', text(folder)):
        assert re.search(r'(?m)^  description += ".+\."$', body), f"{kind} {name}"


def test_aws_module_validates_against_real_provider(root: Path):
    assert "Success!" in terraform("validate", "-no-color", folder=root)


def test_default_storage_class_on_aws_encrypts_volumes():
    """The Kubernetes provider is out of reach here, so this reads what would be made."""
    match = re.search(r"storage_classes = \{(.*?)\n  \}", text(ROOT / "terraform/aws"), re.S)
    assert match
    assert re.search(r"default\s+= true", match[1])
    assert re.search(r'encrypted = "true"', match[1])
    assert "defaultStorageClass" not in text(ROOT / "terraform/modules/aws")


def test_database_hostname_is_verified_against_its_certificate():
    assert "sslmode" not in text(ROOT / "terraform/modules/aws")
    assert re.search(r'caSecret\s+= "\$\{var\.release\}-catalog-ca"', text(ROOT / "terraform/modules/aws"))
    assert re.search(r"catalog_ca\s+= var\.rds \? file\(var\.rds_ca_file\)", text(ROOT / "terraform/aws"))
