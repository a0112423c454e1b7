"""What Prometheus fetches. Labels are taken from fixed sets: never what a lead, or a request, brings."""

from http import HTTPStatus

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callcontrol.core.model import Connected, LegFate, Outcome, StepKind

_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER = "other"
_BROKEN = HTTPStatus.INTERNAL_SERVER_ERROR.value


class Metrics:
    """A registry of one application's own. Implements `ports.Observer`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._decision = Histogram(
            "callcontrol_decision_seconds",
            "From an event's report until its turn was in the journal and its orders had left.",
            ["event"],
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self._attempts = self._counter("attempts", "Attempts that rang somebody.", "step")
        self._legs = self._counter("legs", "Phones rung, by what became of them.", "fate")
        self._transfers = self._counter("transfers", "Transfers decided.", "outcome", "reason")
        self._http = self._counter("http_requests", "Requests answered.", "method", "route", "status")
        self.in_flight = self._gauge("transfers_in_flight", "Transfers that are not closed.")
        self.linked = self._gauge("pbx_linked", "1 while there is a link to the switch.")
        self.database = self._gauge("database_up", "1 if the database answered this very scrape.")
        self.outbox = Gauge(
            "callcontrol_outbox_messages",
            "Messages not sent: queued, claimed by a sender, or parked for a person.",
            ["state"],
            registry=self.registry,
        )
        self.oldest = self._gauge(
            "outbox_oldest_seconds", "Age of the oldest message queued or claimed; 0 where there is none."
        )
        for step in StepKind:
            self._attempts.labels(step.value)
        for fate in LegFate:
            self._legs.labels(fate.value)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"callcontrol_{name}", about, labels, registry=self.registry)

    def _gauge(self, name: str, about: str) -> Gauge:
        return Gauge(f"callcontrol_{name}", about, registry=self.registry)

    # --- the observer

    def decided(self, event: str, seconds: float) -> None:
        self._decision.labels(event).observe(seconds)

    def attempted(self, step: StepKind) -> None:
        self._attempts.labels(step.value).inc()

    def leg_ended(self, fate: LegFate) -> None:
        self._legs.labels(fate.value).inc()

    def finished(self, outcome: Outcome) -> None:
        if isinstance(outcome, Connected):
            self._transfers.labels("connected", outcome.by.value).inc()
        else:
            self._transfers.labels("missed", outcome.because.value).inc()

    # --- the API

    def answered(self, method: str, route: str, status: int) -> None:
        self._http.labels(method if method in _METHODS else _OTHER, route, str(status)).inc()


class Counted:
    """ASGI middleware: counts requests by the route's own template, not by the path that was asked for."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = _BROKEN

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", _OTHER)
            self._metrics.answered(scope["method"], route, status)
