"""A switch in memory, for dry runs and for tests of the conductor: no sound, but every event."""

from callcontrol.adapters.simulated.clock import VirtualClock
from callcontrol.adapters.simulated.pbx import Behaviour, Does, SimulatedPbx

__all__ = ["Behaviour", "Does", "SimulatedPbx", "VirtualClock"]
