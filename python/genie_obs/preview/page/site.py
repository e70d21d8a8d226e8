"""A dashboard and the engine with its tables: what the page starts with, its tiles, options of filters, transcripts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from genie_obs.preview.file import lenient
from genie_obs.preview.file.model import Dashboard, Dataset, Page, Query, Widget
from genie_obs.preview.file.theme import MODES, Theme, custom_parameters, parse_theme, vega_config
from genie_obs.preview.page.markdown import parse_markdown
from genie_obs.preview.page.tiles import DATA_KINDS, Tile, TileData, build_tile, placeholder, problem
from genie_obs.preview.page.transcripts import messages_of, transcript_statement
from genie_obs.preview.query.columns import columns_of, position_of
from genie_obs.preview.query.expressions import ExpressionError
from genie_obs.preview.query.filters import Control, Filtering, State, controls_of, field_bindings, reacts
from genie_obs.preview.query.parameters import ParameterError, Selection, parse_instant
from genie_obs.preview.query.results import QueryError, Rows, Runner
from genie_obs.preview.query.statements import Statement, build_statement, dataset_sql

_MESSAGE_KEYS = ("workspace_id", "conversation_id", "message_id")
_MAX_OPTIONS = 1_000
_SENTINELS = {"all", "<all>", "any"}


class UnknownTileError(KeyError):
    """The page asks for a tile, filter or page that the dashboard does not have."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """Everything that the preview shows. Its methods may be called from several threads at once."""

    dashboard: Dashboard
    runner: Runner
    overrides: Mapping[str, str]
    now: Callable[[], datetime]

    @cached_property
    def theme(self) -> Theme:
        """Return the dashboard's colours."""
        return parse_theme(self.dashboard.settings)

    @cached_property
    def filtering(self) -> Filtering:
        """Return the dashboard's filters."""
        return Filtering(
            dashboard=self.dashboard,
            controls=controls_of(self.dashboard, self.overrides),
            overrides=self.overrides,
        )

    def boot(self) -> dict[str, Any]:
        """Return what the page needs before any query has run."""
        return {
            "title": self.dashboard.title,
            "pages": [self._page(page) for page in self.dashboard.canvas_pages],
            "filters": [self._control(self.filtering.controls[w.key]) for w in self.dashboard.global_filters],
            "theme": dict(self.theme.colours),
            "vega": {mode: vega_config(self.theme, mode) for mode in MODES},
            "signals": {mode: custom_parameters(self.theme, mode) for mode in MODES},
            "apply": self.dashboard.settings.get("applyModeEnabled") is True,
            "parameters": self._parameters_shown(),
        }

    def _parameters_shown(self) -> dict[str, str]:
        """Return the parameters that were given and that no filter shows, with their values. The page names them."""
        bound = {keyword for control in self.filtering.controls.values() for keyword in control.parameter_keywords}
        return {
            keyword: value
            for keyword, value in self.overrides.items()
            if keyword not in bound and self._declares(keyword)
        }

    def _declares(self, keyword: str) -> bool:
        return any(p.keyword == keyword for dataset in self.dashboard.datasets.values() for p in dataset.parameters)

    def _page(self, page: Page) -> dict[str, Any]:
        return {
            "key": page.key,
            "title": page.title,
            "widgets": [self._widget(page, widget) for widget in page.widgets],
        }

    def _widget(self, page: Page, widget: Widget) -> dict[str, Any]:
        place = widget.position
        query = widget.main_query
        shown: dict[str, Any] = {
            "key": widget.key,
            "kind": widget.kind,
            "title": widget.title,
            "description": widget.description,
            "align": lenient.text(lenient.path(widget.spec, "frame", "headerAlignment")),
            "place": [place.x, place.y, place.width, place.height],
            "background": self._own_colours(widget, "widgetBackgroundColor"),
            "border": self._own_colours(widget, "widgetBorderColor"),
            "dataset": query.dataset if query else "",
            "source": widget.kind in DATA_KINDS and reacts(page, widget),
        }
        if widget.kind == "text":
            shown["text"] = parse_markdown(widget.markdown)
        elif widget.is_filter:
            shown["filter"] = self._control(self.filtering.controls[widget.key])
        elif widget.kind not in DATA_KINDS:
            shown["tile"] = placeholder(widget)
        return shown

    def _own_colours(self, widget: Widget, name: str) -> dict[str, str]:
        raw = lenient.mapping(widget.extensions.get(name))
        return {mode: code for mode in MODES if (code := self.theme.colour(raw.get(mode)))}

    def _control(self, control: Control) -> dict[str, Any]:
        return {
            "key": control.widget.key,
            "kind": control.kind,
            "title": control.title,
            "canBeEmpty": control.can_be_empty,
            "hasOptions": bool(field_bindings(control.widget)),
            "keywords": list(control.parameter_keywords),
            "default": self._selection(control.default, is_day=control.kind in {"date", "daterange"}),
            "bound": [[query.dataset, expression] for query, expression in field_bindings(control.widget)],
        }

    def _selection(self, selection: Selection, *, is_day: bool) -> dict[str, Any]:
        if not is_day:
            return {"values": list(selection.values), "low": selection.low, "high": selection.high}
        days = [self._day(value) for value in (*selection.values[:1], selection.low, selection.high)]
        values = [day for day in days[: len(selection.values[:1])] if day]
        return {"values": values, "low": days[-2], "high": days[-1]}

    def _day(self, value: object) -> str | None:
        """Return the day that a date control shows, for example for `now-7d/d`; None if the value is no date."""
        if value is None:
            return None
        try:
            return parse_instant(str(value), self.now()).date().isoformat()
        except (ValueError, OverflowError):
            return None

    def tile(self, key: str, state: State) -> Tile:
        """Run the query of a tile and return what the tile shows. When the query fails, it shows the error.

        Raises:
            UnknownTileError: if there is no such tile.
            StateError: if the state names what does not exist.
        """
        found = self.dashboard.widget(key)
        if found is None:
            raise UnknownTileError(key)
        page, widget = found
        if widget.kind not in DATA_KINDS:
            return placeholder(widget)
        query = widget.main_query
        if query is None or not query.fields:
            return problem("no selected fields to visualize: the tile has no query")
        dataset = self.dashboard.datasets.get(query.dataset)
        if dataset is None:
            return problem(f"the dataset {query.dataset!r} is not in the file")
        scope = self.filtering.scope(page, query.dataset, state, except_key=key)
        statement = None
        try:
            extra = self._extra_columns(widget, dataset, query, state)
            statement = build_statement(
                dataset, query, scope, now=self.now(), type_of=self.runner.column_type, extra=extra
            )
            rows = self.runner.tile_rows(statement)
            tile = build_tile(self._tile_data(page, widget, query, statement=statement, rows=rows, extra=extra))
        except (ParameterError, ExpressionError) as error:
            return problem(str(error)) | _sql_shown(statement)
        except QueryError as error:
            return problem(f"The query failed: {error}") | _sql_shown(statement)
        if tile["kind"] == "empty":
            tile["message"] = self._why_empty(
                page, dataset, state, has_conditions=bool(query.filters or scope.predicates)
            )
        return tile | {"ms": round(rows.duration_ms, 1), "cut": rows.is_cut} | _sql_shown(statement)

    def _extra_columns(self, widget: Widget, dataset: Dataset, query: Query, state: State) -> tuple[str, ...]:
        """Return the id columns that the dataset has and the table does not show. With them a row leads to its conversation."""
        if widget.kind != "table" or not query.is_disaggregated:
            return ()
        page = next(page for page in self.dashboard.pages if widget in page.widgets)
        scope = self.filtering.scope(page, dataset.name, state, except_key=widget.key)
        names = self.runner.schema(dataset_sql(dataset, scope, query, self.now()))
        asked = {f.name for f in query.fields}
        if "conversation_id" not in names and "conversation_id" not in asked:
            return ()
        return tuple(name for name in _MESSAGE_KEYS if name in names and name not in asked)

    def _tile_data(
        self, page: Page, widget: Widget, query: Query, *, statement: Statement, rows: Rows, extra: Sequence[str]
    ) -> TileData:
        count = len(query.fields) + len(extra)
        try:
            positions = [position_of(rows.table, name) for name in statement.columns or [f"f{i}" for i in range(count)]]
        except KeyError as error:
            raise ParameterError(f"the dataset has no column {error.args[0]!r}") from error
        names = [f"f{index}" for index in range(len(query.fields))] + list(extra)
        return TileData(
            widget=widget,
            fields=query.fields,
            columns=columns_of(rows.table, names, positions),
            theme=self.theme,
            now=self.now(),
            is_source=reacts(page, widget),
        )

    def _why_empty(self, page: Page, dataset: Dataset, state: State, *, has_conditions: bool) -> str:
        scope = self.filtering.scope(page, dataset.name, state)
        used = {p.keyword for p in dataset.parameters}
        chosen = [f"{k} = {_words(s)}" for k, s in scope.parameters.items() if k in used and not s.is_empty]
        reason = f" for {', '.join(chosen)}" if chosen else ""
        more = (
            " and the filters chosen"
            if has_conditions and reason
            else " for the filters chosen"
            if has_conditions
            else ""
        )
        return f"No rows: the query ran and found nothing{reason}{more}."

    def options(self, key: str, state: State) -> dict[str, Any]:
        """Return the options of a filter: distinct values, or the two ends of a range.

        Raises:
            UnknownTileError: if there is no such filter.
        """
        found = self.dashboard.widget(key)
        control = self.filtering.controls.get(key)
        if found is None or control is None:
            raise UnknownTileError(key)
        values: list[Any] = []
        kind = "text"
        try:
            for query, _ in field_bindings(control.widget):
                table_columns = self._option_columns(found[0], query, state, key)
                kind = table_columns[0].type if table_columns else kind
                values += [value for column in table_columns for value in column.values]
        except (ParameterError, ExpressionError, QueryError) as error:
            return {"options": [], "type": kind, "error": str(error)}
        distinct = _sorted_options(values, first=control.default.values)
        return {"options": distinct[:_MAX_OPTIONS], "type": kind, "cut": len(distinct) > _MAX_OPTIONS}

    def _option_columns(self, page: Page, query: Query, state: State, key: str) -> list[Any]:
        dataset = self.dashboard.datasets.get(query.dataset)
        if dataset is None or not query.fields:
            return []
        # What is chosen in a filter does not reduce its own options, and neither do clicks on marks.
        scope = self.filtering.scope(page, query.dataset, State(selections=state.selections), except_key=key)
        statement = build_statement(dataset, query, scope, now=self.now(), type_of=self.runner.column_type)
        table = self.runner.tile_rows(statement).table
        names = statement.columns or [f"f{index}" for index in range(len(query.fields))]
        return columns_of(table, names, [position_of(table, name) for name in names])

    def transcript(self, conversation_id: str, workspace_id: str) -> dict[str, Any]:
        """Return the messages of a conversation, oldest first, or none and an `error` if the query fails."""
        try:
            rows = self.runner.rows(transcript_statement([conversation_id], workspace_id))
            return {"messages": messages_of(rows)}
        except QueryError as error:
            return {"messages": [], "error": f"The conversation cannot be read: {error}"}


def _sorted_options(values: Sequence[Any], *, first: Sequence[Any]) -> list[Any]:
    """Return the different values in ascending order. A default such as ALL comes first, NULL last."""
    sentinels = [value for value in first if isinstance(value, str) and value.lower() in _SENTINELS]

    def place(value: Any) -> tuple[bool, bool, bool, Any]:
        return (
            value not in sentinels,
            value is None,
            isinstance(value, str),
            value.lower() if isinstance(value, str) else value or 0,
        )

    return sorted(dict.fromkeys(values), key=place)


def _words(selection: Selection) -> str:
    if selection.values:
        return ", ".join(str(value) for value in selection.values[:5])
    return f"{selection.low or '…'} to {selection.high or '…'}"


def _sql_shown(statement: Statement | None) -> Tile:
    if statement is None:
        return {}
    return {
        "sql": statement.bound.sql,
        "values": {name: str(value) for name, value in statement.bound.values.items()},
    }
