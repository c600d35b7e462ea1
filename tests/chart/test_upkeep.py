"""templates/upkeep/cronjob.yaml: backups of the catalog, and an end to old snapshots and metadata files."""

import re

from millrace.lake.expiry import EXPIRE_INTERVAL_S
from millrace.settings import Settings
from tests.chart.render import of_kind, pick, render


def cron_job(values=None, *profiles):
    return pick(render(values, *profiles, only="upkeep"), "CronJob", "millrace-upkeep")


def pod(item):
    return item["spec"]["jobTemplate"]["spec"]["template"]


def test_upkeep_runs_as_often_as_the_budget_of_metadata_reckons():
    spec = cron_job()["spec"]
    minutes = re.fullmatch(r"\*/(\d+) \* \* \* \*", spec["schedule"])
    assert int(minutes[1]) * 60 == EXPIRE_INTERVAL_S
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["suspend"] is False
    assert cron_job({"catalog": {"upkeep": {"suspend": True}}})["spec"]["suspend"] is True


def test_upkeep_is_the_provisioning_identity_with_lake_and_catalog_alone():
    objects = render()
    template = pod(pick(objects, "CronJob", "millrace-upkeep"))
    (container,) = template["spec"]["containers"]
    assert container["args"] == ["catalog", "upkeep", "--json"]
    assert template["spec"]["serviceAccountName"] == "millrace-provision"
    variables = {entry["name"]: entry for entry in container["env"]}
    assert "MILLRACE_KAFKA_BOOTSTRAP" not in variables
    assert variables["MILLRACE_S3_SECRET_KEY"]["valueFrom"]["secretKeyRef"]["name"] == "millrace-s3-provision"
    assert variables["MILLRACE_CATALOG_JDBC"]["value"].startswith("jdbc:postgresql://")
    days = Settings.model_fields["catalog_backup_days"].default
    assert variables["MILLRACE_CATALOG_BACKUP_DAYS"]["value"] == str(days)
    selector = pick(objects, "NetworkPolicy", "millrace-provision")["spec"]["podSelector"]["matchLabels"]
    assert selector.items() <= template["metadata"]["labels"].items()


def test_upkeep_can_be_disabled_and_needs_the_identity_of_provisioning():
    for values in ({"catalog": {"upkeep": {"enabled": False}}}, {"provision": {"enabled": False}}):
        assert "millrace-upkeep" not in of_kind(render(values), "CronJob")


def test_external_catalog_is_backed_up_too():
    assert cron_job(None, "production")
