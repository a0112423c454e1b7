"""Signed webhooks to outside systems; docs/webhooks.md is what their engineers read."""

from callcontrol.adapters.webhook.gateway import WebhookGateway
from callcontrol.adapters.webhook.signature import signed

__all__ = ["WebhookGateway", "signed"]
