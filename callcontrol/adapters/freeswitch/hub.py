"""One thread with one gevent hub, for the life of the process: a hub for each connection would leak.

Nothing is monkey-patched. What runs in here never blocks but in gevent's own calls.
"""

import threading
from collections.abc import Callable
from typing import Any

import gevent
import gevent.event


class HubThread:
    def __init__(self) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._main, name="freeswitch-esl", daemon=True)
        self._thread.start()
        self._ready.wait()

    def _main(self) -> None:
        self._hub = gevent.get_hub()
        alive = self._hub.loop.async_()
        alive.start(lambda: None)  # a loop without a watcher would end
        self._ready.set()
        gevent.event.Event().wait()

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """From any thread. `function` runs in the hub itself and must not wait for anything."""
        self._hub.loop.run_callback_threadsafe(function, *args)

    def spawn(self, function: Callable[..., object], *args: Any) -> None:
        """From any thread. `function` runs in a greenlet, and may wait."""
        self.call(gevent.spawn, function, *args)


_lock = threading.Lock()
_the_hub: list[HubThread] = []


def the_hub() -> HubThread:
    with _lock:
        if not _the_hub:
            _the_hub.append(HubThread())
        return _the_hub[0]
