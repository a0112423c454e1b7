"""Ready templates for providers of texts, as their own documentation describes them.

None of them knows repeats by a key: what may have been sent is parked, unless the site wishes otherwise.
Each message names the URL for its reports.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from callcontrol.adapters.sms.http import AGAIN, Reports, Template, statuses


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """With a provider."""

    account: str  # the name or id that goes with the secret; Telnyx has none
    secret: str = field(repr=False)
    sender: str  # a number in E.164, or a name where the country allows one
    url: str = ""  # none: the provider's own


def twilio(given: Account) -> Template:
    """https://www.twilio.com/docs/messaging/api/message-resource: 201 with `sid`; errors with `code` and
    `message`; statuses as in /docs/messaging/guides/track-outbound-message-status.

    A sender that begins with MG is a messaging service.
    """
    service = given.sender.startswith("MG")
    return Template(
        url=(given.url or "https://api.twilio.com") + "/2010-04-01/Accounts/{account}/Messages.json",
        basic=("{account}", "{secret}"),
        form={
            "To": "{to}",
            "MessagingServiceSid" if service else "From": "{sender}",
            "Body": "{body}",
            "StatusCallback": "{report_url}",
        },
        values=_values(given),
        provider_id="sid",
        error=("code", "message"),
        reports=Reports(
            state="MessageStatus",
            delivered=("delivered", "read"),
            undelivered=("undelivered", "failed"),
            provider_id="MessageSid",
            detail="ErrorCode",
        ),
    )


def vonage(given: Account) -> Template:
    """https://developer.vonage.com/en/api/messages: basic authentication with API key and secret; numbers
    without their plus; 202 with `message_uuid`; errors as problem documents; 402 is an empty account.
    """
    return Template(
        url=(given.url or "https://api.nexmo.com") + "/v1/messages",
        basic=("{account}", "{secret}"),
        json={
            "message_type": "text",
            "channel": "sms",
            "to": "{to_digits}",
            "from": given.sender.removeprefix("+"),
            "text": "{body}",
            "client_ref": "{id}",
            "webhook_url": "{report_url}",
        },
        values=_values(given),
        again=(*AGAIN, *statuses(402)),
        provider_id="message_uuid",
        error=("title", "detail"),
        reports=Reports(
            state="status",
            delivered=("delivered", "read"),
            undelivered=("rejected", "undeliverable"),
            provider_id="message_uuid",
            message_id="client_ref",
            detail="error.title",
        ),
    )


def plivo(given: Account) -> Template:
    """https://www.plivo.com/docs/messaging/api/message: 202 with a list `message_uuid`, of one here; `error`
    otherwise; statuses as in .../message/message-status-callbacks.
    """
    return Template(
        url=(given.url or "https://api.plivo.com") + "/v1/Account/{account}/Message/",
        basic=("{account}", "{secret}"),
        json={
            "src": given.sender.removeprefix("+"),
            "dst": "{to_digits}",
            "text": "{body}",
            "url": "{report_url}",
            "method": "POST",
        },
        values=_values(given),
        again=(*AGAIN, *statuses(402)),
        provider_id="message_uuid.0",
        error=("error",),
        reports=Reports(
            state="Status",
            delivered=("delivered", "read"),
            undelivered=("undelivered", "failed", "rejected"),
            provider_id="MessageUUID",
            detail="ErrorCode",
        ),
    )


def telnyx(given: Account) -> Template:
    """https://developers.telnyx.com/api-reference/messages/send-a-message: a bearer token; 200 with `data.id`;
    `errors` otherwise; the end of a message is the event `message.finalized`.
    """
    return Template(
        url=(given.url or "https://api.telnyx.com") + "/v2/messages",
        headers={"Authorization": "Bearer {secret}"},
        json={"from": "{sender}", "to": "{to}", "text": "{body}", "webhook_url": "{report_url}"},
        values=_values(given),
        provider_id="data.id",
        error=("errors.0.code", "errors.0.title", "errors.0.detail"),
        reports=Reports(
            state="data.payload.to.0.status",
            delivered=("delivered",),
            undelivered=("sending_failed", "delivery_failed"),
            provider_id="data.payload.id",
            detail="data.payload.errors.0.title",
        ),
    )


def _values(given: Account) -> Mapping[str, str]:
    return {"account": given.account, "secret": given.secret, "sender": given.sender}


PROVIDERS: Mapping[str, Callable[[Account], Template]] = {
    "twilio": twilio,
    "vonage": vonage,
    "plivo": plivo,
    "telnyx": telnyx,
}
