"""The API."""

from typing import Annotated, Literal

from pydantic import Field

from chart_values import outside
from chart_values.common import Area, Name, Quantity, Resources, Scheduling
from chart_values.kubernetes import Labels, Objects, Port, ServiceAccount


class Service(Area):
    """The Service before the pods."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"]
    """ClusterIP, NodePort or LoadBalancer."""
    port: Port
    """The Service's port; pods listen on 8000."""
    nodePort: int = Field(ge=0, le=65535)
    """The port on every node with NodePort or LoadBalancer; 0 lets Kubernetes choose."""
    annotations: Labels
    """Annotations of the Service, such as a load balancer's settings."""


class Auth(Area):
    """API keys."""

    enabled: bool
    """Whether callers need a key in X-API-Key; health needs none."""
    existingSecret: Name
    """A secret of your own with `keys` and, for the ServiceMonitor, `metrics-key`; empty makes one once."""


class Probes(Area):
    """How Kubernetes asks whether a pod is well."""

    startupSeconds: int = Field(ge=5, le=600)
    """Seconds that a process has to answer for the first time."""
    readinessPeriodSeconds: int = Field(ge=1, le=60)
    """Seconds between two questions whether champions are loaded."""
    livenessPeriodSeconds: int = Field(ge=1, le=300)
    """Seconds between two questions whether the process lives."""
    livenessFailures: int = Field(ge=1, le=20)
    """Unanswered questions after which the container is restarted."""


class Drain(Area):
    """How a pod ends without a lost request."""

    preStopSeconds: int = Field(ge=0, le=300)
    """Seconds that a pod goes on taking requests after it was told to end, until all nodes know."""
    graceSeconds: int = Field(ge=20, le=3600)
    """Seconds until it is killed: preStopSeconds, and 20 for the requests in flight."""


class Rollout(Area):
    """How a new release replaces the pods."""

    maxSurge: Annotated[int, Field(ge=1)] | Annotated[str, Field(pattern=r"^[1-9][0-9]*%$")]
    """Pods more than wanted during a rollout, as a number or a percentage; none is ever missing."""
    minReadySeconds: int = Field(ge=0, le=600)
    """Seconds that a new pod must be ready before the next one is replaced."""
    progressDeadlineSeconds: int = Field(ge=60)
    """Seconds after which a rollout counts as stuck. Pods of a new release get ready with their first champion."""


class Spread(Area):
    """Where pods stand to each other."""

    enabled: bool
    """Whether pods are spread over nodes and zones."""
    topologyKeys: list[str]
    """Node labels over which they are spread."""
    whenUnsatisfiable: Literal["ScheduleAnyway", "DoNotSchedule"]
    """ScheduleAnyway prefers it, DoNotSchedule insists."""


class ScaleUp(Area):
    """How fast pods are added."""

    stabilizationSeconds: int = Field(ge=0, le=3600)
    """Seconds that the wish must last."""
    percent: int = Field(ge=1)
    """At most so many per cent more in a period, or `pods` where that is more."""
    pods: int = Field(ge=1)
    """At most so many pods more in a period, or `percent` where that is more."""
    periodSeconds: int = Field(ge=1, le=1800)
    """Seconds of a period."""


class ScaleDown(Area):
    """How fast pods are removed."""

    stabilizationSeconds: int = Field(ge=0, le=3600)
    """Seconds that the wish must last, so that a short lull removes nothing."""
    pods: int = Field(ge=1)
    """At most so many pods less in a period."""
    periodSeconds: int = Field(ge=1, le=1800)
    """Seconds of a period."""


class Autoscaling(Area):
    """How many pods there are."""

    enabled: bool
    """Whether a HorizontalPodAutoscaler sets the number of pods."""
    minReplicas: int = Field(ge=1)
    """The fewest pods."""
    maxReplicas: int = Field(ge=1)
    """The most pods."""
    cpuPercent: int = Field(ge=1, le=1000)
    """Average CPU of the pods, as a percentage of their request, that is aimed at."""
    requestsPerSecond: int = Field(ge=0)
    """Average requests a second and pod that is aimed at too; 0 is off. Needs serviceMonitor and an adapter."""
    scaleUp: ScaleUp
    """How fast pods are added."""
    scaleDown: ScaleDown
    """How fast pods are removed."""


class PodDisruptionBudget(Area):
    """What a node that is emptied must leave."""

    enabled: bool
    """Whether draining nodes must leave some pods."""
    minAvailable: Annotated[int, Field(ge=0)] | Annotated[str, Field(pattern=r"^[0-9]{1,2}%$")]
    """Pods that must stay: a number, or a percentage such as 50%."""


class Peers(Area):
    """Who may ask the API, and what it may ask."""

    from_: Objects = Field(alias="from")
    """NetworkPolicy peers that may ask; empty is everyone."""
    extraEgress: Objects
    """Further egress rules, for example of a side car."""


class Test(Area):
    """`helm test`."""

    seconds: int = Field(ge=20, le=3600)
    """Seconds that `helm test` waits for the API to be ready."""


class Api(Area):
    """The API: answers from the champions."""

    enabled: bool
    """Whether the API is deployed."""
    replicas: int = Field(ge=0)
    """Pods without autoscaling; with it, autoscaling.minReplicas counts."""
    workers: int = Field(ge=1, le=64)
    """Worker processes in a pod; one, since Kubernetes scales, restarts and measures pods."""
    bodyLimit: int = Field(ge=1000)
    """The largest request body in bytes."""
    listLimit: int = Field(ge=1)
    """The longest list of rows in one request."""
    live: bool
    """Whether it follows Kafka: live answers change with the stream, and events can be posted."""
    pollInterval: float = Field(ge=0.05, le=300)
    """Seconds between two looks for a new champion."""
    posting: Literal["keys", "open"]
    """Who may post events: keys is callers with a key, so nobody while auth.enabled is false; open is everyone."""
    corsOrigins: list[str]
    """Origins whose pages may call the API, such as https://app.example.com; empty is none but its own."""
    hosts: list[str]
    """Names that it is reached under, beside those of Service, ingress and gateway; empty takes every name."""
    extraEnv: Objects
    """Further environment variables, as Kubernetes writes them."""
    podLabels: Labels
    """Labels that the pods get beside the chart's own."""
    podAnnotations: Labels
    """Annotations of the pods."""
    resources: Resources
    """What a pod asks for and may use; without a CPU request it can't be scaled on CPU."""
    tmpSize: Quantity
    """The largest size of /tmp, where metrics and the mapped arrays of recommenders are kept."""
    scheduling: Scheduling
    """Where pods run."""
    service: Service
    """The Service before the pods."""
    serviceAccount: ServiceAccount
    """The service account."""
    auth: Auth
    """API keys."""
    probes: Probes
    """How Kubernetes asks whether a pod is well."""
    drain: Drain
    """How a pod ends without a lost request."""
    rollout: Rollout
    """How a new release replaces the pods."""
    spread: Spread
    """Where pods stand to each other."""
    autoscaling: Autoscaling
    """How many pods there are."""
    podDisruptionBudget: PodDisruptionBudget
    """What a node that is emptied must leave."""
    networkPolicy: Peers
    """Who may ask the API, and what it may ask."""
    test: Test
    """`helm test`."""


AREAS = {"api": Api} | outside.AREAS
