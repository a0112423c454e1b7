"""What an outcome sets off, as directory.yaml says for each bot, and who gets texts besides the agents."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field

from callcontrol.config.schema import Model
from callcontrol.config.values import Number, Text, one_or_more
from callcontrol.core import model as core


class Contact(Model):
    name: Text
    phone: Number

    def to_core(self) -> core.Contact:
        return core.Contact(name=self.name, phone=self.phone)


Contacts = Annotated[tuple[Contact, ...], Field(min_length=1)]
Lists = Mapping[str, tuple[Contact, ...]]


class OnConnected(Model):
    cancel_cadence: bool = True
    notify_agent: bool = True
    notify_owner: bool = True
    notify_pool: bool = False
    notify_lists: Annotated[tuple[Text, ...], BeforeValidator(one_or_more)] = ()  # of the file's contacts
    create_task: bool = False
    webhook: bool = True

    def to_core(self, lists: Lists) -> core.OutcomeActions:
        """The loader has refused names of lists that there are not."""
        return core.OutcomeActions(
            cancel_cadence=self.cancel_cadence,
            notify_agent=self.notify_agent,
            notify_owner=self.notify_owner,
            notify_pool=self.notify_pool,
            notify_lists=tuple(_list(name, lists[name]) for name in dict.fromkeys(self.notify_lists)),
            create_task=self.create_task,
            webhook=self.webhook,
        )


class OnMissed(OnConnected):
    create_task: bool = True


def _list(name: str, contacts: tuple[Contact, ...]) -> core.ContactList:
    return core.ContactList(name=name, contacts=tuple(contact.to_core() for contact in contacts))
