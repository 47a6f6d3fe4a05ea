"""Review records as `candor review export` writes them, as rows to learn from."""

from collections.abc import Mapping
from typing import Any, Literal

from candor.errors import DataError


class NotTaken(DataError):
    """A record that nobody accepted or edited, so that nothing is learnt from it."""


def origin_of(method: str, state: str, annotator: str | None) -> Literal["team-hand", "team-automatic"]:
    """Who made the answer of a record: the team's hand where a person wrote or rewrote it."""
    by_hand = method == "human" or (state == "edited" and annotator is not None)
    return "team-hand" if by_hand else "team-automatic"


def answered(fields: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A record's fields as those of a dialogue: the answer behind the messages, and its origin. Other rows stay.

    NotTaken for a record in another state than accepted or edited, and for what a user wrote: that is learnt from only
    as a contribution, with its receipt.
    """
    if not {"messages", "original", "state", "method"} <= fields.keys() or not isinstance(fields["messages"], list):
        return dict(fields)
    if fields["method"] == "user":
        raise NotTaken(
            f"{where} is of what a user wrote, which enters training only as a contribution with its receipt; leave "
            "such records out (--skip-broken)"
        )
    state = fields["state"]
    if state not in ("accepted", "edited"):
        raise NotTaken(
            f"{where} is {state}, not accepted or edited; export with --state accepted --state edited, or leave such "
            "records out (--skip-broken)"
        )
    said = fields.get("edited") if state == "edited" else fields["original"]
    origin = origin_of(fields["method"], state, fields.get("annotator"))
    return {**fields, "messages": [*fields["messages"], {"role": "assistant", "content": said}], "origin": origin}
