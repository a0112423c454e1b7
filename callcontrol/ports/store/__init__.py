"""The database, divided by who asks it."""

from callcontrol.ports.store.cadence import CadenceStore
from callcontrol.ports.store.messages import MessageStore
from callcontrol.ports.store.staff import StaffStore
from callcontrol.ports.store.tasks import TaskStore
from callcontrol.ports.store.transfers import TransferStore
from callcontrol.ports.store.whole import Store

__all__ = ["CadenceStore", "MessageStore", "StaffStore", "Store", "TaskStore", "TransferStore"]
