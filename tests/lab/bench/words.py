"""The tables speak Asterisk; here is what they say of a FreeSWITCH."""

from dataclasses import replace

from tests.lab.bench.report import Sheet, Verdict
from tests.lab.switch import PbxKind

FREESWITCH = {
    "Dial()": "bridge",
    "Queue()": "mod_callcenter",
    "an AMI Redirect": "a uuid_transfer",
    "the Redirect": "the transfer",
    "are in one bridge, by the PBX's BridgeEnter": "talk, by when the PBX's event of it arrived",
    "BridgeAdd into their bridge": "three_way",
    "subroutine": "context",
}
MORE = {
    "Answer to joined": (
        "FreeSWITCH looks whether a phone it rings for nobody's channel has answered, and whether a channel is to do"
        " something else, once in 20 ms: the phones answer at any point in between. A lead without a bot's leg is"
        " brought to the agent by uuid_bridge, as mod_callcenter does it; that alone takes some 40 ms. What the events"
        " call joined is not yet heard: by ear (2026-11-26, twelve calls each way, from the 200 OK to the first sound of"
        " the other's tone at each phone, p50) the agent hears the lead after 89 ms, with bridge after 60; the lead hears"
        " the agent after 110, with bridge after 114."
    ),
}


def sheet_for(kind: PbxKind, sheet: Sheet) -> Sheet:
    if kind == "asterisk":
        return sheet
    return replace(
        sheet,
        title=_translated(sheet.title),
        about=" ".join((_translated(sheet.about.replace("\n", " ")), MORE.get(sheet.title, ""))).strip(),
        headings=tuple(map(_translated, sheet.headings)),
        rows=tuple(tuple(map(_translated, row)) for row in sheet.rows),
    )


def verdict_for(kind: PbxKind, verdict: Verdict) -> Verdict:
    if kind == "asterisk":
        return verdict
    return replace(verdict, what=_translated(verdict.what), target=_translated(verdict.target))


def _translated(text: str) -> str:
    for word, other in FREESWITCH.items():
        text = text.replace(word, other)
    return text
