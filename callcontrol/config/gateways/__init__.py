"""The section `sms` of callcontrol.yaml. `sms` is the section, `base` what every gateway has, `http` and `kinds` are
our gateways, `own` is that of another package.
"""

from callcontrol.config.gateways.base import OnDoubt
from callcontrol.config.gateways.http import HttpGateway, Reports, Request, Rule
from callcontrol.config.gateways.kinds import (
    FileGateway,
    LongTexts,
    ProviderGateway,
    SipMessageGateway,
    SmppGateway,
    SmtpGateway,
    SmtpTls,
)
from callcontrol.config.gateways.own import OwnGateway
from callcontrol.config.gateways.sms import AnyGateway, Route, Sms

__all__ = [
    "AnyGateway",
    "FileGateway",
    "HttpGateway",
    "LongTexts",
    "OnDoubt",
    "OwnGateway",
    "ProviderGateway",
    "Reports",
    "Request",
    "Route",
    "Rule",
    "SipMessageGateway",
    "SmppGateway",
    "Sms",
    "SmtpGateway",
    "SmtpTls",
]
