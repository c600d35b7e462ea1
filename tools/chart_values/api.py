"""The API."""

from typing import Annotated, Literal

from pydantic import Field

from chart_values import outside
from chart_values.common import Area, Name, Quantity, Resources, Scheduling
from chart_values.kubernetes import Labels, Objects, Port, ServiceAccount


class Service(Area):
    """The Service."""

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
    """A secret of your own with the keys `keys` (comma-separated) and, for the ServiceMonitor, `metrics-key` (one of
    them); empty makes one once, kept over upgrades."""


class Probes(Area):
    """Health probes."""

    startupSeconds: int = Field(ge=5, le=600)
    """Seconds that a process has to answer its first probe."""
    readinessPeriodSeconds: int = Field(ge=1, le=60)
    """Seconds between readiness probes, which ask whether champions are loaded."""
    livenessPeriodSeconds: int = Field(ge=1, le=300)
    """Seconds between liveness probes."""
    livenessFailures: int = Field(ge=1, le=20)
    """Failed liveness probes after which the container is restarted."""


class Drain(Area):
    """How a pod shuts down without losing a request."""

    preStopSeconds: int = Field(ge=0, le=300)
    """Seconds that a pod still accepts requests after its termination began, until all nodes have stopped sending
    them."""
    graceSeconds: int = Field(ge=20, le=3600)
    """Seconds until it is killed: preStopSeconds, plus at least 20 for requests in flight."""


class Rollout(Area):
    """Rollout of a new release."""

    maxSurge: Annotated[int, Field(ge=1)] | Annotated[str, Field(pattern=r"^[1-9][0-9]*%$")]
    """Pods more than wanted during a rollout; none is ever missing."""
    minReadySeconds: int = Field(ge=0, le=600)
    """Seconds that a new pod must be ready before the next one is replaced."""
    progressDeadlineSeconds: int = Field(ge=60)
    """Seconds after which a rollout counts as stuck. Pods of a new release get ready with their first champion."""


class Spread(Area):
    """Spread of the pods over nodes and zones."""

    enabled: bool
    """Whether pods are spread over nodes and zones."""
    topologyKeys: list[str]
    """Node labels over which they are spread."""
    whenUnsatisfiable: Literal["ScheduleAnyway", "DoNotSchedule"]
    """ScheduleAnyway prefers it, DoNotSchedule insists."""


class ScaleUp(Area):
    """How fast pods are added."""

    stabilizationSeconds: int = Field(ge=0, le=3600)
    """Seconds that the load must stay high."""
    percent: int = Field(ge=1)
    """Largest increase in a period in per cent, or `pods` where that is more."""
    pods: int = Field(ge=1)
    """Largest increase in a period in pods, or `percent` where that is more."""
    periodSeconds: int = Field(ge=1, le=1800)
    """Length of a period in seconds."""


class ScaleDown(Area):
    """How fast pods are removed."""

    stabilizationSeconds: int = Field(ge=0, le=3600)
    """Seconds that the load must stay low, so that a short lull removes nothing."""
    pods: int = Field(ge=1)
    """Largest decrease in a period, in pods."""
    periodSeconds: int = Field(ge=1, le=1800)
    """Length of a period in seconds."""


class Autoscaling(Area):
    """Number of pods."""

    enabled: bool
    """Whether a HorizontalPodAutoscaler sets the number of pods."""
    minReplicas: int = Field(ge=1)
    """Fewest pods."""
    maxReplicas: int = Field(ge=1)
    """Most pods."""
    cpuPercent: int = Field(ge=1, le=1000)
    """Target CPU usage of the pods, as a percentage of their request."""
    requestsPerSecond: int = Field(ge=0)
    """Average requests a second and pod that is aimed at too; 0 is off. Needs monitoring.serviceMonitor and an
    adapter that serves millrace_requests_per_second (k8s/prometheus-adapter.yaml)."""
    scaleUp: ScaleUp
    """How fast pods are added."""
    scaleDown: ScaleDown
    """How fast pods are removed."""


class PodDisruptionBudget(Area):
    """Pods that must keep running while a node is drained."""

    enabled: bool
    """Whether a PodDisruptionBudget is made."""
    minAvailable: Annotated[int, Field(ge=0)] | Annotated[str, Field(pattern=r"^[0-9]{1,2}%$")]
    """Pods that must keep running: a number, or a percentage such as 50%."""


class Peers(Area):
    """Who may reach the API, and what its pods may reach."""

    from_: Objects = Field(alias="from")
    """NetworkPolicy peers that may reach it; empty is everyone."""
    extraEgress: Objects
    """Further egress rules, for example of a side car."""


class Test(Area):
    """`helm test`."""

    seconds: int = Field(ge=20, le=3600)
    """Seconds that `helm test` waits for the API to be ready."""


class Api(Area):
    """The API, which serves the champions."""

    enabled: bool
    """Whether to deploy the API."""
    replicas: int = Field(ge=0)
    """Pods without autoscaling; with it, autoscaling.minReplicas counts."""
    workers: int = Field(ge=1, le=64)
    """Worker processes in a pod; one, since Kubernetes scales, restarts and measures pods."""
    bodyLimit: int = Field(ge=1000)
    """Largest request body in bytes."""
    listLimit: int = Field(ge=1)
    """Most rows in one request."""
    requestSeconds: float = Field(ge=1, le=600)
    """Seconds that a request may take to arrive, and an answer to be taken."""
    idleSeconds: float = Field(ge=1, le=600)
    """Seconds that a connection may be idle between two requests; more than a load balancer in front keeps it idle."""
    connections: int = Field(ge=50, le=100_000)
    """Connections that a worker keeps open; for a new one that which keeps it waiting longest is ended."""
    streamsPerClient: int = Field(ge=1, le=10_000)
    """Live pages of one client address that a worker keeps up to date."""
    proxies: list[str]
    """Addresses or networks of proxies, such as the ingress controller's pods, whose X-Forwarded-For is believed;
    without them all who come through a proxy count as one client."""
    live: bool
    """Whether it follows Kafka: answers change with the stream, and events can be posted. Otherwise it needs no
    broker."""
    pollInterval: float = Field(ge=0.05, le=300)
    """Seconds between checks for a new champion."""
    posting: Literal["keys", "open"]
    """Who may post events: keys means callers with a key (nobody while auth.enabled is false), open means everyone."""
    corsOrigins: list[str]
    """Origins whose pages may call the API (CORS), such as https://app.example.com; empty allows only its own."""
    hosts: list[str]
    """Host names that it accepts beside those of Service, ingress and gateway; empty accepts every name."""
    extraEnv: Objects
    """Further environment variables, as Kubernetes writes them."""
    podLabels: Labels
    """Further labels of the pods."""
    podAnnotations: Labels
    """Annotations of the pods."""
    resources: Resources
    """CPU and memory of a pod; without a CPU request it can't be scaled on CPU."""
    tmpSize: Quantity
    """Size limit of /tmp, where metrics and the mapped arrays of recommenders are kept."""
    scheduling: Scheduling
    """Where pods run."""
    service: Service
    """The Service."""
    serviceAccount: ServiceAccount
    """The service account."""
    auth: Auth
    """API keys."""
    probes: Probes
    """Health probes."""
    drain: Drain
    """How a pod shuts down without losing a request."""
    rollout: Rollout
    """Rollout of a new release."""
    spread: Spread
    """Spread of the pods over nodes and zones."""
    autoscaling: Autoscaling
    """Number of pods."""
    podDisruptionBudget: PodDisruptionBudget
    """Pods that must keep running while a node is drained."""
    networkPolicy: Peers
    """With networkPolicy.enabled only port 8000 accepts connections; pods reach DNS, object storage and, where live,
    brokers."""
    test: Test
    """`helm test`."""


AREAS = {"api": Api} | outside.AREAS
