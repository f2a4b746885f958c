"""A feed's declaration, as `python -m lambdas.sse_streaming.declaration` prints it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

_MS_PER_UNIT = {"ms": 1, "s": 1000}
_UNITS_IN_WORDS = {"ms": "milliseconds", "s": "seconds"}


@dataclass(frozen=True, slots=True)
class FilterParameter:
    """`values`: the ones that a client may name; None: any that match a pattern."""

    attribute: str
    parameter: str
    values: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """`values` are those of the partition attribute where `chosen_by` is `fixed`; `query` and
    `caller` are chosen by a query parameter and by who asks. `parameter` is the one that chooses.
    """

    event: str
    partition: str
    values: tuple[str, ...] | None
    chosen_by: str
    parameter: str | None
    time: str
    time_unit: str
    item_id: str
    index: str
    filters: tuple[FilterParameter, ...]

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Declaration:
        """Raises LookupError, TypeError for what no declaration is."""
        filters = tuple(
            FilterParameter(one["attribute"], one["parameter"], _texts(one["values"]))
            for one in given["filters"]
        )
        names = ("event", "partition", "chosen_by", "parameter", "time", "time_unit", "item_id")
        return cls(
            **{name: given[name] for name in (*names, "index")},
            values=_texts(given["values"]),
            filters=filters,
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def needs_callers(self) -> bool:
        return self.chosen_by == "caller"

    @property
    def ms_per_unit(self) -> int:
        return _MS_PER_UNIT[self.time_unit]

    @property
    def unit_in_words(self) -> str:
        return _UNITS_IN_WORDS[self.time_unit]

    def is_served_like(self, other: Declaration) -> bool:
        """Whether the other needs no other tables, settings or samples: only the function itself
        and the console's page read the event's name and the filters."""
        return replace(self, event="", filters=()) == replace(other, event="", filters=())


def _texts(values: Any) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)
