"""A daemon that does nothing but finish transfers; the test kills it. It says what it begins and has done.

Each turn is long, so that a kill falls inside one.
"""

import asyncio
import os
import sys
from itertools import count

from callcontrol.adapters.sql import SqlStore
from callcontrol.core.model import TransferId
from callcontrol.ports import Transition
from tests.adapters.store import people as p

ENTRIES = 300


async def main(url: str) -> None:
    store = SqlStore(url)
    for n in count(1):
        name = f"{os.getpid()}-{n}"
        await p.opened(store, name)
        entries = tuple(p.entry(seq) for seq in range(2, 2 + ENTRIES))
        winner = p.answered(p.rung(f"leg-of-{name}"))
        turn = Transition(
            transfer_id=TransferId(name),
            entries=entries,
            legs=(winner,),
            outcome=p.MISSED,
            follow_up=p.FOLLOW_UP,
            closed=True,
        )
        _say("begun", name)
        await store.record(turn)
        _say("done", name)


def _say(what: str, name: str) -> None:
    sys.stdout.write(f"{what} {name}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
