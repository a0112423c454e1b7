"""`make bench`: callcontrol's speed, beside what Dial() and Queue() of the same PBX take for the same work.

`one_by_one` and `load` measure on the lab, `decisions` on the simulated switch; `ways` are the
contenders, `sightings` the clock they all go by, `report` the tables and docs/performance.md.
"""
