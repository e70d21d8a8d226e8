"""Filters of a dashboard: its controls, what is chosen in them, and which rows of a dataset that leaves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from genie_obs.preview.file import lenient
from genie_obs.preview.file.model import Dashboard, Page, Query, Widget
from genie_obs.preview.query.parameters import Selection, parse_selection

ControlKind = Literal["single", "multi", "date", "daterange", "text", "range"]

_KINDS: Mapping[str, ControlKind] = {
    "filter-single-select": "single",
    "filter-multi-select": "multi",
    "filter-date-picker": "date",
    "filter-date-range-picker": "daterange",
    "filter-text-entry": "text",
    "range-slider": "range",
}
_MAX_STATE_CHARACTERS = 16_000
_MAX_VALUES = 1_000


class StateError(ValueError):
    """The page sent a request that its script never sends."""


@dataclass(frozen=True, kw_only=True)
class CrossFilter:
    """The marks that were clicked in a chart, as values by field name."""

    widget_key: str
    values: Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class State:
    """Everything the viewer has chosen."""

    selections: Mapping[str, Selection] = field(default_factory=dict)  # by the control's key
    cross_filters: tuple[CrossFilter, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Predicate:
    """A condition on rows of a dataset, before grouping."""

    expression: str  # in the widgets' expression language
    selection: Selection
    kind: ControlKind


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What all filters together ask of one dataset."""

    parameters: Mapping[str, Selection]
    predicates: tuple[Predicate, ...]


@dataclass(frozen=True, kw_only=True)
class Control:
    """A filter widget, ready to be drawn."""

    widget: Widget
    kind: ControlKind
    title: str
    can_be_empty: bool
    default: Selection
    parameter_keywords: tuple[str, ...]


def parse_state(text: str) -> State:
    """Read the state that the page sends as JSON.

    Raises:
        StateError: if it is not what our page would send.
    """
    if len(text) > _MAX_STATE_CHARACTERS:
        raise StateError("too much is chosen at once")
    try:
        raw = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise StateError("the state is not JSON") from error
    selections = {key: _selection(value) for key, value in lenient.mapping(lenient.path(raw, "f")).items()}
    crosses = [
        CrossFilter(
            widget_key=lenient.text(item.get("w")),
            values={name: _scalars(values) for name, values in lenient.mapping(item.get("v")).items()},
        )
        for item in lenient.mappings(lenient.path(raw, "x"))
    ]
    return State(selections=selections, cross_filters=tuple(crosses))


def _selection(raw: object) -> Selection:
    item = lenient.mapping(raw)
    return Selection(values=_scalars(item.get("values")), low=_scalar(item.get("low")), high=_scalar(item.get("high")))


def _scalars(raw: object) -> tuple[Any, ...]:
    values = lenient.items(raw)
    if len(values) > _MAX_VALUES:
        raise StateError("too many values are chosen")
    return tuple(_scalar(value) for value in values)


def _scalar(value: object) -> Any:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise StateError("a chosen value is no text, number or boolean")


def controls_of(dashboard: Dashboard, overrides: Mapping[str, str]) -> dict[str, Control]:
    """Return all filters by key. `overrides` are values of parameters by keyword; they replace the defaults of the file."""
    widgets = [widget for page in dashboard.pages for widget in page.widgets if widget.is_filter]
    return {widget.key: _control(widget, dashboard, overrides) for widget in widgets}


def _control(widget: Widget, dashboard: Dashboard, overrides: Mapping[str, str]) -> Control:
    kind = _KINDS.get(widget.kind, "text")
    keywords = tuple(dict.fromkeys(keyword for query in widget.queries for keyword in query.keywords.values()))
    overridden = next((keyword for keyword in keywords if keyword in overrides), None)
    raw_default = lenient.mapping(lenient.path(widget.spec, "selection", "defaultSelection"))
    default = parse_selection(raw_default)
    if overridden is not None:
        default = override_selection(overrides[overridden], is_multi=kind == "multi")
    elif default.is_empty and not raw_default:
        default = _parameter_default(widget, dashboard)
    title = widget.title or next((lenient.text(f.get("displayName")) for f in _bound_fields(widget)), "") or widget.name
    # A parameter with one value, or a range, always needs it: such a filter cannot be empty.
    can_be_empty = lenient.path(widget.spec, "disallowAll") is not True and not (
        keywords and kind in {"single", "range"}
    )
    return Control(
        widget=widget, kind=kind, title=title, can_be_empty=can_be_empty, default=default, parameter_keywords=keywords
    )


def override_selection(text: str, *, is_multi: bool) -> Selection:
    """Return a value of the command line as a selection. With `is_multi`, commas separate values and ALL selects none."""
    if not is_multi:
        return Selection(values=(text,))
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    return Selection() if parts == ("ALL",) else Selection(values=parts)


def _parameter_default(widget: Widget, dashboard: Dashboard) -> Selection:
    """Return the default of the first parameter that the filter sets. It counts for filters without a default."""
    for query in widget.queries:
        dataset = dashboard.datasets.get(query.dataset)
        for parameter in dataset.parameters if dataset else ():
            if parameter.keyword in query.keywords.values():
                return parse_selection(parameter.default)
    return Selection()


def _bound_fields(widget: Widget) -> list[dict[str, Any]]:
    return lenient.mappings(widget.encodings.get("fields"))


def field_bindings(widget: Widget) -> list[tuple[Query, str]]:
    """Return the queries and expressions of the fields that a filter acts on, in the order of the file."""
    queries = {query.name: query for query in widget.queries}
    found: list[tuple[Query, str]] = []
    for item in _bound_fields(widget):
        query = queries.get(lenient.text(item.get("queryName")))
        name = lenient.text(item.get("fieldName"))
        if query is None or not name:
            continue
        expression = next((f.expression for f in query.fields if f.name == name), None)
        # A range slider queries MIN and MAX of a column, but names the column itself. No field of the query has that name.
        found.append((query, expression or f"`{name.replace('`', '``')}`"))
    return found


@dataclass(frozen=True, kw_only=True)
class Filtering:
    """Everything that decides which rows a tile shows."""

    dashboard: Dashboard
    controls: Mapping[str, Control]
    overrides: Mapping[str, str]

    def scope(self, page: Page, dataset: str, state: State, *, except_key: str = "") -> Scope:
        """Return the parameters and conditions for a dataset on a page, without those of the filter or chart `except_key`.

        Raises:
            StateError: if a cross-filter names a chart or field that does not exist.
        """
        parameters = self._overridden(dataset)
        predicates: list[Predicate] = []
        for control in self.controls_on(page):
            chosen = state.selections.get(control.widget.key, control.default)
            for query in control.widget.queries:
                if query.dataset == dataset:
                    parameters |= dict.fromkeys(query.keywords.values(), chosen)
            if control.widget.key != except_key and not chosen.is_empty:
                predicates += [
                    Predicate(expression=expression, selection=chosen, kind=control.kind)
                    for query, expression in field_bindings(control.widget)
                    if query.dataset == dataset
                ]
        for cross in state.cross_filters:
            if cross.widget_key != except_key:
                predicates += self._cross_predicates(page, dataset, cross)
        return Scope(parameters=parameters, predicates=tuple(predicates))

    def controls_on(self, page: Page) -> list[Control]:
        """Return the filters of a page: the global ones, then its own."""
        keys = [w.key for w in self.dashboard.global_filters] + [w.key for w in page.widgets if w.is_filter]
        return [self.controls[key] for key in dict.fromkeys(keys)]

    def _overridden(self, dataset: str) -> dict[str, Selection]:
        found = self.dashboard.datasets.get(dataset)
        return {
            p.keyword: override_selection(self.overrides[p.keyword], is_multi=p.kind == "multi")
            for p in (found.parameters if found else ())
            if p.keyword in self.overrides
        }

    def _cross_predicates(self, page: Page, dataset: str, cross: CrossFilter) -> list[Predicate]:
        source = next((w for w in page.widgets if w.key == cross.widget_key), None)
        query = source.main_query if source else None
        if query is None:
            raise StateError("the chart that was clicked does not exist")
        if query.dataset != dataset:
            return []
        expressions = {f.name: f.expression for f in query.fields}
        if unknown := set(cross.values) - set(expressions):
            raise StateError(f"the chart that was clicked has no field {min(unknown)[:60]!r}")
        return [
            Predicate(expression=expressions[name], selection=Selection(values=values), kind="multi")
            for name, values in cross.values.items()
            if values
        ]


def reacts(page: Page, source: Widget) -> bool:
    """Say whether a click on a mark of this chart filters another tile: one that reads the same dataset."""
    query = source.main_query
    others = [w for w in page.widgets if w.key != source.key and not w.is_filter and w.main_query is not None]
    return query is not None and any(w.main_query is not None and w.main_query.dataset == query.dataset for w in others)
