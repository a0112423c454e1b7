"""A directory as YAML that `load_directory` reads back the same."""

from callcontrol.config.export.conditions import written
from callcontrol.config.export.directory import dump

__all__ = ["dump", "written"]
