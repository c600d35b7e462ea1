"""Terraform with the providers of this machine, and one AWS that is made, looked at and taken down again."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

ROOT = Path(__file__).parents[2]
TERRAFORM = shutil.which("terraform")
REGION = "eu-central-1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever order is asked for, what takes everything down comes last."""
    items.sort(key=lambda item: item.path.name == "test_taking_down.py")


def mirror() -> Path | None:
    """A folder that holds the AWS provider: TERRAFORM_MIRROR, or where Terraform or packagers put such folders."""
    places = [
        *filter(None, [os.environ.get("TERRAFORM_MIRROR")]),
        Path.home() / ".terraform.d/plugins",
        *Path("/usr/local/share").glob("*/plugins"),
        *Path("/usr/share").glob("*/plugins"),
        *Path("/opt").glob("*"),
    ]
    wanted = "registry.terraform.io/hashicorp/aws/5.100.0"
    return next((Path(place) for place in places if (Path(place) / wanted).is_dir()), None)


def terraform(*arguments: str, folder: Path, timeout: float = 600, text: str | None = None) -> str:
    """Run Terraform in a folder and return what it printed; what it says against it is the failure's message."""
    if TERRAFORM is None:
        pytest.skip("terraform is not installed")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
    environment |= {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": os.devnull}
    done = subprocess.run(
        [TERRAFORM, *arguments],
        cwd=folder,
        env=environment,
        input=text,
        text=True,
        capture_output=True,
        timeout=timeout,
    )
    assert done.returncode == 0, f"terraform {' '.join(arguments)}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    return done.stdout


@pytest.fixture(scope="session")
def root(engines: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of tests/terraform/root that is ready for `validate` and `apply`."""
    plugins = mirror()
    if TERRAFORM is None:
        pytest.skip("terraform is not installed")
    if plugins is None:
        pytest.skip("the AWS provider 5.100.0 is in no local mirror (TERRAFORM_MIRROR names one)")
    copy = tmp_path_factory.mktemp("terraform")
    shutil.copytree(ROOT / "tests/terraform/root", copy / "tests/terraform/root")
    ignored = shutil.ignore_patterns(".terraform*", "*.tfstate*")
    shutil.copytree(ROOT / "terraform", copy / "terraform", ignore=ignored)
    shutil.copytree(ROOT / "charts/millrace/files", copy / "charts/millrace/files")
    folder = copy / "tests/terraform/root"
    terraform("init", "-no-color", f"-plugin-dir={plugins}", folder=folder)
    return folder


@dataclass
class Aws:
    """What Terraform made, seen by its own outputs and by asking AWS."""

    folder: Path
    address: str

    def apply(self, **settings: Any) -> dict[str, Any]:
        """Apply with settings over those of the root; returns the module's outputs."""
        arguments = ["-no-color", "-auto-approve", f"-var=endpoint={self.address}"]
        terraform("apply", *arguments, f"-var=module_settings={json.dumps(settings)}", folder=self.folder)
        return json.loads(terraform("output", "-json", "aws", folder=self.folder))

    def plan(self, **settings: Any) -> dict[str, Any]:
        """What an apply would do, as `terraform show -json` tells it."""
        arguments = ["-no-color", "-out=plan", f"-var=endpoint={self.address}"]
        terraform("plan", *arguments, f"-var=module_settings={json.dumps(settings)}", folder=self.folder)
        return json.loads(terraform("show", "-json", "plan", folder=self.folder))

    def destroy(self) -> None:
        arguments = ["-no-color", "-auto-approve", f"-var=endpoint={self.address}"]
        terraform("destroy", *arguments, folder=self.folder)

    def subnets(self) -> list[dict[str, Any]]:
        result = self.client("ec2").describe_subnets(Filters=[{"Name": "tag-key", "Values": ["Name"]}])
        return result["Subnets"]

    def client(self, service: str) -> Any:
        login = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, region_name=REGION, endpoint_url=self.address, **login)


@pytest.fixture(scope="session")
def aws(root: Path) -> Iterator[Aws]:
    """An empty AWS of one's own."""
    for package in ("moto", "flask_cors"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package}, of which the stand-in for AWS is made, is not installed")
    command = [sys.executable, "-W", "ignore", "-m", "tests.terraform.aws"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            port = server.stdout.readline().strip()
            assert port, "the stand-in for AWS did not start"
            yield Aws(root, f"http://127.0.0.1:{port}")
        finally:
            server.stdin.close()
            server.wait(60)


@pytest.fixture(scope="session")
def made(aws: Aws) -> dict[str, Any]:
    """The outputs of the module, applied with MSK and RDS. Takes 2 minutes: the provider waits for the database."""
    return aws.apply()
