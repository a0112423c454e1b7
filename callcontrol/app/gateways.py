"""The outbox's gateways and routes, made from the configuration."""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import assert_never
from urllib.parse import quote

from callcontrol.adapters.sms.file import FileGateway
from callcontrol.adapters.sms.http import AGAIN, DOUBT, TAKEN, HttpGateway, Reports, Rule, Template
from callcontrol.adapters.sms.providers import PROVIDERS, Account
from callcontrol.adapters.sms.sip_message import SipMessageGateway
from callcontrol.adapters.sms.smtp import SmtpGateway, SmtpSettings, Tls
from callcontrol.adapters.web import Web
from callcontrol.config import Config
from callcontrol.config import gateways as given
from callcontrol.outbox import Lane, Limits, Route, Routes
from callcontrol.ports import Gateway, Pbx, Store


def lanes(config: Config, pbx: Pbx, store: Store) -> tuple[Lane, ...]:
    return tuple(Lane(one.name, _gateway(one, config, pbx, store), _limits(one)) for one in config.sms.every)


def routes(sms: given.Sms) -> Routes:
    """What no route of the site is for goes through all gateways, in their order."""
    own = [
        Route(gateways=one.gateways, prefixes=one.prefix or (), recipients=one.recipient or ())
        for one in sms.routes
    ]
    return Routes(routes=(*own, Route(gateways=tuple(sms.names))))


def report_secrets(sms: given.Sms) -> Mapping[str, str]:
    """By gateway."""
    return {
        one.name: one.report_secret.get_secret_value() for one in sms.every if one.report_secret is not None
    }


def _limits(one: given.AnyGateway) -> Limits:
    return Limits(
        per_s=one.per_s,
        burst=one.burst,
        at_once=one.at_once,
        backlog_per_s=one.backlog_per_s,
        timeout_s=one.timeout_s,
        resends=one.on_doubt is given.OnDoubt.RESEND,
    )


def _gateway(one: given.AnyGateway, config: Config, pbx: Pbx, store: Store) -> Gateway:
    report_url = _report_url(one, config.sms)
    match one:
        case given.FileGateway():
            return FileGateway(config.written(one.path))
        case given.SmtpGateway():
            return SmtpGateway(_smtp(one))
        case given.ProviderGateway():
            account = Account(
                account=one.account,
                secret=one.secret.get_secret_value(),
                sender=one.sender,
                url=one.url or "",
            )
            template = PROVIDERS[one.type](account)
            return HttpGateway(one.name, template, _web(one), report_url=report_url)
        case given.HttpGateway():
            return HttpGateway(one.name, _template(one), _web(one), report_url=report_url)
        case given.SipMessageGateway():
            return SipMessageGateway(pbx, store.agents)
        case given.SmppGateway():
            return _smpp(one, store)
        case given.OwnGateway():
            made: Gateway = one.make(report_url=report_url)
            return made
        case _:
            assert_never(one)


def _report_url(one: given.AnyGateway, sms: given.Sms) -> str:
    if one.report_secret is None or sms.report_url is None:
        return ""
    secret = quote(one.report_secret.get_secret_value(), safe="")
    return f"{sms.report_url}/v1/delivery-reports/{one.name}?secret={secret}"


def _web(one: given.ProviderGateway | given.HttpGateway) -> Web:
    """Its own limits end before the outbox's: they know whether anything went out."""
    connect_s = min(5.0, one.timeout_s / 3)
    return Web(
        connect_s=connect_s,
        answer_s=(one.timeout_s - connect_s) * 0.9,
        tls=_tls(one.ca_file),
        proxy=one.proxy,
    )


def _tls(ca_file: Path | None) -> ssl.SSLContext | None:
    return None if ca_file is None else ssl.create_default_context(cafile=ca_file)


def _smtp(one: given.SmtpGateway) -> SmtpSettings:
    return SmtpSettings(
        host=one.host,
        port=one.port_used,
        sender=one.sender,
        to=one.to,
        subject=one.subject or "",
        tls=Tls(one.tls.value),
        context=_tls(one.ca_file),
        username=one.username or "",
        password=one.password.get_secret_value() if one.password else "",
        timeout_s=one.timeout_s / 2.5,
    )


def _smpp(one: given.SmppGateway, store: Store) -> Gateway:
    from callcontrol.adapters.sms.smpp import SmppGateway, SmppSettings  # noqa: PLC0415 - an optional extra

    connect_s = min(5.0, one.timeout_s / 3)
    settings = SmppSettings(
        host=one.host,
        port=one.port_used,
        system_id=one.username,
        password=one.password.get_secret_value(),
        sender=one.sender,
        system_type=one.system_type,
        tls=ssl.create_default_context(cafile=one.ca_file) if one.tls else None,
        in_parts=one.long is given.LongTexts.PARTS,
        receipts=one.receipts,
        connect_s=connect_s,
        answer_s=(one.timeout_s - connect_s) * 0.9,
    )
    return SmppGateway(one.name, settings, lambda report: store.report_delivery(report, datetime.now(UTC)))


def _template(one: given.HttpGateway) -> Template:
    request = one.request
    return Template(
        method=request.method,
        url=request.url,
        headers=request.headers,
        basic=request.basic,
        json=request.json_,
        form=request.form,
        values=one.values,
        keyed=one.keyed,
        provider_id=one.id or "",
        error=one.error,
        reports=None if one.reports is None else _reports(one.reports),
        taken=TAKEN if one.taken is None else _rules(one.taken),
        again=AGAIN if one.again is None else _rules(one.again),
        doubt=DOUBT if one.doubt is None else _rules(one.doubt),
    )


def _rules(rules: tuple[given.Rule, ...]) -> tuple[Rule, ...]:
    return tuple(
        Rule(statuses=tuple(range(first, last + 1) for first, last in rule.status), fields=rule.fields)
        for rule in rules
    )


def _reports(asked: given.Reports) -> Reports:
    return Reports(
        state=asked.state,
        delivered=asked.delivered,
        undelivered=asked.undelivered,
        provider_id=asked.id or "",
        message_id=asked.message or "",
        detail=asked.detail or "",
    )
