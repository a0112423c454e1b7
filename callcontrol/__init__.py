"""callcontrol: warm transfers from a voice bot to a human agent on the same call.

The rooms, and who imports whom (held by import-linter):

    cli -> app -> api, adapters, outbox, callbacks, retention, switchboard, config -> report, conductor -> ports -> core

The route of one call:

    a bot on a live call says "transfer this lead"
      -> api or the PBX adapter (a user event)   the request
      -> switchboard                             one Conductor per live transfer; recovery
      -> core.routing                            who may ring now, attempt by attempt
      -> core.transfer                           the state machine: events in, commands out
      -> ports.Pbx                               ring, hang up, brief, join, release the bot
      -> core.followup, wording                  texts, task, cadence cancel: one SQL transaction
      -> outbox                                  sends the texts
      -> callbacks                               sees the call back: closes the task, or the owner is told
"""
