"""The words of texts: templates of the site's own, or the usual ones, filled with facts made fit for a phone.

`facts` is what a template may say, `templates` the templates and what is wrong with them, `trial` renders
them with hostile leads; `Wording` is the `Word` that core asks.
"""

from callcontrol.wording.facts import Discretion, Pii
from callcontrol.wording.templates import Template, TemplateError, Templates
from callcontrol.wording.trial import troubles
from callcontrol.wording.words import Wording

__all__ = ["Discretion", "Pii", "Template", "TemplateError", "Templates", "Wording", "troubles"]
