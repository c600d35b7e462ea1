"""The ways to the API from outside."""

from typing import Annotated

from pydantic import Field

from chart_values.common import Area, Name
from chart_values.kubernetes import Host, Labels, Objects


class Tls(Area):
    """A certificate and the hosts that it is shown for."""

    secretName: Name = ""
    """The secret with the certificate. Empty where the controller has one."""
    hosts: list[Host]
    """Hosts, each of them also in ingress.hosts."""


class Ingress(Area):
    """The API from outside, by an Ingress."""

    enabled: bool
    """Whether an Ingress leads to the API."""
    className: Name
    """The ingress class; empty is the cluster's default."""
    hosts: list[Host]
    """Host names of the API; at least one."""
    tls: list[Tls]
    """TLS entries as Kubernetes writes them: [{secretName: millrace-tls, hosts: [millrace.example.com]}]."""
    annotations: Labels
    """Annotations for the controller."""


class Gateway(Area):
    """An HTTPRoute of the Gateway API."""

    enabled: bool
    """Whether a Gateway API HTTPRoute leads to the API."""
    parentRefs: Objects
    """The gateways of the route: [{name: public, namespace: gateways, sectionName: https}]."""
    hostnames: list[Host]
    """Host names of the API; empty takes those of the gateway's listener."""
    timeout: Annotated[str, Field(pattern=r"^([0-9]{1,5}(h|m|s|ms)){0,4}$")]
    """Timeout of a request, such as 30s; empty is the gateway's default."""
    annotations: Labels
    """Annotations of the route."""


AREAS = {"ingress": Ingress, "gateway": Gateway}
