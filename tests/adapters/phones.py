"""Endpoints that accept by answering."""

from callcontrol.core.model import AcceptBy, Endpoint, EndpointKind


def phone(address: str, kind: EndpointKind = EndpointKind.EXTENSION) -> Endpoint:
    return Endpoint(kind=kind, address=address, accept_by=AcceptBy.ANSWER)
