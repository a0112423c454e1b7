"""One thread with one gevent hub, for the life of the process: a hub for each connection would leak.

Nothing is monkey-patched. What runs in here never blocks but in gevent's own calls.
"""

import atexit
import threading
from collections.abc import Callable
from typing import Any

import gevent
import gevent.event

STOP_WITHIN_S = 2.0


class HubThread:
    def __init__(self) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._main, name="freeswitch-esl", daemon=True)
        self._thread.start()
        self._ready.wait()

    def _main(self) -> None:
        self._hub = gevent.get_hub()
        self._end = gevent.event.Event()
        alive = self._hub.loop.async_()
        alive.start(lambda: None)  # a loop without a watcher would end
        self._ready.set()
        self._end.wait()
        alive.close()
        self._hub.destroy(destroy_loop=True)

    def stop(self) -> None:
        """Before the interpreter takes itself down under a loop that still runs, which crashes the process."""
        self.call(self._end.set)
        self._thread.join(STOP_WITHIN_S)

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
            atexit.register(_the_hub[0].stop)
        return _the_hub[0]
