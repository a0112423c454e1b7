"""A notice in words."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from callcontrol.core.followup import Notice, Worded
from callcontrol.core.segments import cut
from callcontrol.wording.facts import Discretion, variables
from callcontrol.wording.templates import Template, Templates, usual


class Wording:
    """Implements `followup.Word`: the site's own template, or the usual words where that one breaks."""

    def __init__(
        self,
        templates: Templates | None = None,
        discretion: Discretion | None = None,
        *,
        segments: int = 4,
    ) -> None:
        """A text is cut to `segments`."""
        self._templates = templates or Templates()
        self._discretion = discretion or Discretion()
        self._segments = segments

    def __call__(self, notice: Notice) -> Worded:
        facts = variables(notice, self._discretion)
        own = self._templates.of(notice)
        if own is not None:
            try:
                if body := self._fitted(own, facts):
                    return Worded(body=body)
                broken = "it is empty"
            except Exception as error:
                broken = type(error).__name__  # its words may quote the lead
            warning = (
                f"the template for {notice.occasion}, {notice.recipient} broke ({broken}),"
                " and the usual words went out"
            )
            return Worded(body=self._fitted(usual(notice.occasion), facts), warning=warning)
        return Worded(body=self._fitted(usual(notice.occasion), facts))

    def _fitted(self, template: Template, facts: Mapping[str, Any]) -> str:
        return cut(_lines(template.render(facts)), self._segments)


def _lines(text: str) -> str:
    """Line breaks are the template's; other control characters are nobody's."""
    lines = (
        "".join(c if unicodedata.category(c)[0] != "C" else " " for c in line) for line in text.split("\n")
    )
    return "\n".join(" ".join(line.split()) for line in lines).strip()
