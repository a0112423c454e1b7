"""YAML in, plain values out, with the line of every key.

YAML's own reading of scalars is a trap for this product: `+49301234567` loses its plus, `0301`
becomes 193, `17:30` becomes 1050, `no` becomes False, and a repeated key wins in silence. So only
null and merge keys are resolved here; every other scalar stays the text that was written.
"""

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from callcontrol.config.problems import ConfigError, Place, Problem, written

_NULL, _MERGE, _STR, _MAP, _SEQ = (
    f"tag:yaml.org,2002:{name}" for name in ("null", "merge", "str", "map", "seq")
)
_MAX_DEPTH = 32
_MAX_VALUES = 1_000_000  # aliases of aliases grow without end

# The C parser reads a directory of 10,000 agents in a second, the other one in half a minute.
_BASE = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Loader: type[yaml.SafeLoader] = type(
    "_Loader",
    (_BASE,),
    {
        "yaml_implicit_resolvers": {
            first: kept
            for first, resolvers in _BASE.yaml_implicit_resolvers.items()
            if (kept := [(tag, pattern) for tag, pattern in resolvers if tag in (_NULL, _MERGE)])
        }
    },
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    file: Path
    data: object  # dict, list, str or None, all the way down
    lines: Mapping[Place, int]
    others_may_read: bool  # by the file's mode

    def problem(self, place: Place, what: str) -> Problem:
        """At the line of the value, or of the nearest thing around it that has one."""
        known = place
        while known and known not in self.lines:
            known = known[:-1]
        return Problem(file=str(self.file), line=self.lines.get(known), key=written(place), what=what)


def read(file: Path) -> Document:
    """Raises ConfigError where the file is missing, is no YAML, or repeats a key."""
    try:
        others = bool(file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise _error(file, None, "there is no such file") from None
    except OSError as error:
        raise _error(file, None, f"can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise _error(file, None, f"is not UTF-8 text (byte {error.start})") from None
    return parse(text, file, others_may_read=others)


def parse(text: str, file: Path, *, others_may_read: bool = False) -> Document:
    """`file`: what errors name. Raises ConfigError where it is no YAML, or repeats a key."""
    try:
        node = yaml.compose(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = "; ".join(part for part in (error.context, error.problem) if part)
        raise _error(file, mark.line + 1 if mark else None, f"is not YAML: {what}") from None
    except (yaml.YAMLError, RecursionError) as error:
        what = str(error).splitlines()[0]
        raise _error(file, None, f"is not YAML: {what}") from None
    reader = _Reader(file)
    data = reader.value(node, ()) if node is not None else None
    return Document(file=file, data=data, lines=reader.lines, others_may_read=others_may_read)


def _error(file: Path, line: int | None, what: str, key: str = "") -> ConfigError:
    return ConfigError([Problem(file=str(file), line=line, key=key, what=what)])


@dataclass(slots=True)
class _Reader:
    file: Path
    lines: dict[Place, int] = field(default_factory=dict)
    values: int = 0

    def value(self, node: yaml.Node, place: Place) -> object:
        self.values += 1
        if len(place) > _MAX_DEPTH or self.values > _MAX_VALUES:
            raise self._at(node, place, "is nested too deeply, or aliases repeat it too often")
        self.lines.setdefault(place, node.start_mark.line + 1)
        match node:
            case yaml.MappingNode() if node.tag == _MAP:
                return self._mapping(node, place)
            case yaml.SequenceNode() if node.tag == _SEQ:
                return [self.value(item, (*place, n)) for n, item in enumerate(node.value)]
            case yaml.ScalarNode(tag=tag) if tag == _NULL:
                return None
            case yaml.ScalarNode(tag=tag, value=str(text)) if tag in (_STR, _MERGE):
                return text
            case _:
                raise self._at(node, place, f"tags such as {node.tag} are not supported; write plain values")

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, object]:
        merged: dict[str, object] = {}
        own: dict[str, object] = {}
        first_seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == _MERGE:
                merged = {**self._merged(value_node, place), **merged}
                continue
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != _STR:
                raise self._at(key_node, place, "a key must be a plain word")
            key = str(key_node.value)
            if key in own:
                raise self._at(
                    key_node, (*place, key), f"is given twice, first in line {first_seen[key]}; keep one"
                )
            first_seen[key] = line
            self.lines[(*place, key)] = line
            own[key] = self.value(value_node, (*place, key))
        return {**merged, **own}

    def _merged(self, node: yaml.Node, place: Place) -> dict[str, object]:
        if isinstance(node, yaml.MappingNode):
            self.values += 1
            if self.values > _MAX_VALUES:
                raise self._at(node, place, "aliases repeat it too often")
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            parts = [self._merged(part, place) for part in node.value]
            return {key: value for part in reversed(parts) for key, value in part.items()}
        raise self._at(node, place, "`<<` takes a mapping, such as `<<: *defaults`")

    def _at(self, node: yaml.Node, place: Place, what: str) -> ConfigError:
        return _error(self.file, node.start_mark.line + 1, what, written(place))
