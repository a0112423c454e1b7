"""Agents by number, in one pool that is rung one after the other, and their turns."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from callcontrol.core.model import All, Directory, Pool, PoolId, PoolOrder, Rule, TransferId
from callcontrol.ports import Transition
from tests.adapters.store import people as p

OPEN = datetime(2026, 6, 1, 16, 0, tzinfo=UTC)  # ten in the morning in Denver, a Monday
SECOND = timedelta(seconds=1)


def crowd(count, *, at_once=1, order=PoolOrder.LISTED, **pool):
    agents = tuple(
        replace(p.ANN, id=f"a{n:02}", name=f"A{n}", endpoints=(p.desk(str(2000 + n)),)) for n in range(count)
    )
    everyone = Pool(
        id=PoolId("all"),
        name="All",
        agent_ids=tuple(agent.id for agent in agents),
        at_once=at_once,
        order=order,
        **pool,
    )
    return Directory(
        agents=agents,
        pools=(everyone,),
        rules=(Rule(name="any", when=All(), pool_id=everyone.id),),
        bots=(p.SAMI,),
        leads=(p.LUC,),
    )


async def opened(store, name):
    return await p.opened(store, name, lead=p.LUC.id, now=OPEN)


async def rings(store, row, **more):
    return await p.rings(store, row, now=more.pop("now", OPEN), **more)


def turn(name="t1", *changes, seq=2, **more):
    return Transition(
        transfer_id=TransferId(name), entries=(p.entry(seq),), legs=(), standings=changes, **more
    )


A0, A1, A2 = crowd(3).agents
