"""Templates: the site's own for an occasion and a recipient, and the playbook's words for all others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from callcontrol.core.followup import Notice, Occasion, Recipient
from callcontrol.core.model import BotId
from callcontrol.wording.facts import OF_LEAD, VARIABLES

USUAL: Mapping[Occasion, str] = {
    Occasion.CONNECTED: "Live transfer answered: {{ agent }} is talking with {{ lead.who }}."
    "{% if link %} {{ link }}{% endif %}",
    Occasion.MISSED: "Missed live transfer ({{ reason }}){% if lead.all %}: {{ lead.all }}{% endif %}."
    " Please call them back ASAP{% if link %}: {{ link }}{% else %}.{% endif %}",
    Occasion.OVERDUE: "Nobody has called back for {{ minutes }} min{% if lead.all %}: {{ lead.all }}{% endif %}."
    " Please call them back, or see that somebody does{% if link %}: {{ link }}{% else %}.{% endif %}",
    Occasion.RESTING: "You missed {{ misses }} transfers in a row, so no more will ring you until {{ until }}."
    " To come back sooner, dial {{ code }}.",
}


class TemplateError(ValueError):
    """A template that can't be used; what is wrong is in the words."""


class _Environment(ImmutableSandboxedEnvironment):
    def __init__(self) -> None:
        super().__init__(undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=False)
        self.globals.clear()  # no range, no lipsum: a text is made of facts


_ENVIRONMENT = _Environment()


@dataclass(frozen=True, slots=True)
class Template:
    """A template that fits its occasion. Raises TemplateError for one that doesn't."""

    occasion: Occasion
    source: str

    def __post_init__(self) -> None:
        try:
            tree = _ENVIRONMENT.parse(self.source)
            _compiled(self.source)
        except jinja2.TemplateSyntaxError as error:
            raise TemplateError(f"is no template: {error.message}{_in_line(error.lineno)}") from None
        except RecursionError:
            raise TemplateError("is nested too deeply") from None
        for what, line in _unknown(tree, VARIABLES[self.occasion]):
            raise TemplateError(f"{what}{_in_line(line)}")

    def render(self, variables: Mapping[str, Any]) -> str:
        """Raises whatever the template does."""
        return _compiled(self.source).render(variables)


@cache
def _compiled(source: str) -> jinja2.Template:
    return _ENVIRONMENT.from_string(source)


def _in_line(line: int) -> str:
    return f" (line {line} of the text)" if line > 1 else ""


def _unknown(tree: nodes.Template, known: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """Variables, and facts of the lead, that there are not."""
    own = {name.name for name in tree.find_all(nodes.Name) if name.ctx in ("store", "param")}
    own |= {"loop"} if tree.find(nodes.For) else set()
    for name in tree.find_all(nodes.Name):
        if name.ctx == "load" and name.name not in known and name.name not in own:
            yield f"there is no {name.name!r} here; there are {', '.join(known)}", name.lineno
    for found in (*tree.find_all(nodes.Getattr), *tree.find_all(nodes.Getitem)):
        asked = _of_lead(found)
        if "lead" not in own and asked is not None and asked not in OF_LEAD:
            there = ", ".join(f"lead.{name}" for name in OF_LEAD)
            yield f"there is no lead.{asked}; there are {there}", found.lineno


def _of_lead(found: nodes.Node) -> str | None:
    """Which fact of the lead is asked for, where that is written down."""
    match found:
        case nodes.Getattr(node=nodes.Name(name="lead"), attr=asked):
            return str(asked)
        case nodes.Getitem(node=nodes.Name(name="lead"), arg=nodes.Const(value=asked)):
            return str(asked)
        case _:
            return None


Place = tuple[BotId | None, Occasion, Recipient | None]
"""Whose a template is: of one bot or all, of one kind of recipient or all."""


@dataclass(frozen=True, slots=True)
class Templates:
    own: Mapping[Place, Template] = field(default_factory=dict)

    def of(self, notice: Notice) -> Template | None:
        """The most particular of the site's own."""
        occasion, recipient = notice.occasion, notice.recipient
        for bot in (notice.bot.id, None):
            for kind in (recipient, None):
                found = self.own.get((bot, occasion, kind))
                if found is not None:
                    return found
        return None


@cache
def usual(occasion: Occasion) -> Template:
    return Template(occasion, USUAL[occasion])
