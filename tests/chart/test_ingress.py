"""The ways to the API from outside."""

import pytest

from tests.chart.render import Refused, of_kind, pick, render

HTTPS = {"name": "public", "namespace": "gateways", "sectionName": "https"}


def outside(values=None, *profiles):
    return render(values, *profiles, only="ingress")


def test_api_is_not_exposed_by_default():
    assert outside() == []


def test_kind_profile_exposes_api_as_millrace_localhost():
    (rule,) = pick(outside({}, "kind"), "Ingress")["spec"]["rules"]
    assert rule["host"] == "millrace.localhost"
    assert rule["http"]["paths"][0]["backend"]["service"] == {"name": "millrace-api", "port": {"name": "http"}}


def test_class_certificate_and_annotations_come_from_user():
    values = {
        "enabled": True,
        "className": "traefik",
        "hosts": ["a.example.com", "b.example.com"],
        "tls": [{"secretName": "cert", "hosts": ["a.example.com"]}],
        "annotations": {"cert-manager.io/cluster-issuer": "letsencrypt"},
    }
    result = pick(outside({"ingress": values}), "Ingress")
    assert result["spec"]["ingressClassName"] == "traefik"
    assert result["spec"]["tls"] == values["tls"]
    assert result["metadata"]["annotations"] == values["annotations"]
    assert [rule["host"] for rule in result["spec"]["rules"]] == values["hosts"]


def test_route_attaches_to_its_gateways_and_targets_service():
    values = {"enabled": True, "parentRefs": [HTTPS], "hostnames": ["a.example.com"], "timeout": "30s"}
    spec = pick(outside({"gateway": values, "api": {"service": {"port": 8080}}}), "HTTPRoute")["spec"]
    assert spec["parentRefs"] == [HTTPS]
    assert spec["hostnames"] == ["a.example.com"]
    (rule,) = spec["rules"]
    assert rule["backendRefs"] == [{"name": "millrace-api", "port": 8080}]
    assert rule["timeouts"] == {"request": "30s"}


def test_ingress_and_gateway_route_can_coexist():
    gateway = {"enabled": True, "parentRefs": [HTTPS]}
    objects = outside({"gateway": gateway, "ingress": {"enabled": True, "hosts": ["a.example.com"]}})
    assert len(of_kind(objects, "Ingress")) == len(of_kind(objects, "HTTPRoute")) == 1


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"ingress": {"enabled": True}}, ["ingress.enabled is true", "ingress.hosts is empty"]),
        ({"gateway": {"enabled": True}}, ["gateway.enabled is true", "gateway.parentRefs is empty"]),
        (
            {"gateway": {"enabled": True, "parentRefs": [HTTPS]}, "api": {"enabled": False}},
            ["gateway.enabled is true", "api.enabled is false"],
        ),
        (
            {"ingress": {"enabled": True, "hosts": ["a.example.com"], "tls": [{"hosts": ["b.example.com"]}]}},
            ["b.example.com", "a.example.com"],
        ),
        ({"ingress": {"enabled": True, "hosts": ["not a host"]}}, ["hosts"]),
    ],
)
def test_invalid_values_are_rejected_with_explanation(values, named):
    with pytest.raises(Refused) as refused:
        render(values)
    assert all(part in str(refused.value) for part in named), str(refused.value)
