"""How the file is written: what stands on one line, and what need not be written at all."""

from datetime import date
from typing import Any

import yaml

Entry = dict[str, Any]


class Flow(dict[str, Any]):
    """Written on one line."""


class Row(list[Any]):
    """Likewise."""


class Days(dict[date, str]):
    """As YAML's own dates, a line each."""


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Lists are indented below their key."""
        super().increase_indent(flow, indentless=False)


_MAP, _SEQ, _BOOL = (f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "bool"))
_Dumper.add_representer(Flow, lambda d, value: d.represent_mapping(_MAP, value.items(), flow_style=True))
_Dumper.add_representer(Row, lambda d, value: d.represent_sequence(_SEQ, value, flow_style=True))
_Dumper.add_representer(Days, lambda d, value: d.represent_mapping(_MAP, value.items(), flow_style=False))
_Dumper.add_representer(bool, lambda d, value: d.represent_scalar(_BOOL, "yes" if value else "no"))


def dumped(value: Any, *, one_line: bool = False) -> str:
    return yaml.dump(
        value,
        Dumper=_Dumper,
        default_flow_style=one_line,
        sort_keys=False,
        allow_unicode=True,
        width=10**6 if one_line else 110,
    )


def without(entry: Entry, defaults: Entry) -> Entry:
    """Without what would be so anyhow."""
    kept = {key: value for key, value in entry.items() if key not in defaults or defaults[key] != value}
    return type(entry)(kept)


def short(number: float) -> float | int:
    return int(number) if number == int(number) else number
