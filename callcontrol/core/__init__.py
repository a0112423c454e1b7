"""Decisions only: no I/O, no clock, no await, no third-party package.

`model` has the words, `events` what can happen and what can be ordered, `availability` and
`routing` who may ring, `transfer` the state machine, `followup` what an outcome brings with it.
"""
