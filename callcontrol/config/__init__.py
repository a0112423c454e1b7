"""YAML files to frozen values. Every error is a ConfigError: file, line, key, and what would be right.

`callcontrol.yaml` says how the daemon runs (`settings`); `directory.yaml` whom it may ring
(`directory`), and becomes a `core.model.Directory` for the database.
"""

from callcontrol.config.directory import load_directory
from callcontrol.config.problems import ConfigError, Problem
from callcontrol.config.settings import (
    Access,
    Api,
    Asterisk,
    Config,
    Freeswitch,
    LogFormat,
    Logging,
    LogLevel,
    OwnTables,
    PbxKind,
    Speech,
    load_config,
    secret_files,
)

__all__ = [
    "Access",
    "Api",
    "Asterisk",
    "Config",
    "ConfigError",
    "Freeswitch",
    "LogFormat",
    "LogLevel",
    "Logging",
    "OwnTables",
    "PbxKind",
    "Problem",
    "Speech",
    "load_config",
    "load_directory",
    "secret_files",
]
