"""The preview's server: who may ask, what is answered, and that nobody waits for a slow tile."""

from __future__ import annotations

import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest
from tests.browser.preview_world import make_lakehouse, served

from genie_obs.command.cli import main
from genie_obs.lakehouse.sql import Names
from genie_obs.preview.file.parse import parse_dashboard
from genie_obs.preview.page.site import Site
from genie_obs.preview.query.parameters import BoundSql
from genie_obs.preview.query.results import QueryError, Runner


@dataclass
class FakeFrame:
    """What a Spark session gives for a statement, for the little the runner asks of it."""

    answer: Callable[[], pa.Table]

    def limit(self, count: int) -> FakeFrame:
        return self

    def toArrow(self) -> pa.Table:  # noqa: N802  # Spark's name
        return self.answer()


@dataclass
class FakeEngine:
    """An engine whose statements can be held back, and that counts them."""

    names: Names = field(default_factory=lambda: Names(catalog="main", schema="genie_analytics"))
    statements: list[str] = field(default_factory=list)
    refreshes: int = 0
    binds_parameters: bool = True
    hold: threading.Event | None = None  # statements that say SLOW wait for it
    error: Exception | None = None

    @property
    def spark(self) -> FakeEngine:
        return self

    def sql(self, text: str, args: Any = None, **frames: Any) -> FakeFrame:
        self.statements.append(text)
        return FakeFrame(lambda: self._run(text))

    def createDataFrame(self, table: pa.Table) -> FakeEngine:  # noqa: N802  # Spark's name
        return self

    def refresh(self) -> None:
        self.refreshes += 1

    def _run(self, text: str) -> pa.Table:
        if self.error is not None:
            raise self.error
        if self.hold is not None and "SLOW" in text:
            assert self.hold.wait(30)
        return pa.table({"f0": [len(self.statements)]})


def _widget(dataset: str) -> dict[str, Any]:
    query = {"datasetName": dataset, "fields": [{"name": "n", "expression": "COUNT(`*`)"}]}
    spec = {"widgetType": "counter", "encodings": {"value": {"fieldName": "n"}}}
    return {"widget": {"name": dataset, "queries": [{"name": "main_query", "query": query}], "spec": spec}}


def _site(engine: FakeEngine) -> Site:
    datasets = [{"name": "d", "query": "SELECT 1"}, {"name": "slow", "query": "SELECT 'SLOW'"}]
    pages = [{"layout": [_widget("d"), _widget("slow")]}]
    return Site(
        dashboard=parse_dashboard({"datasets": datasets, "pages": pages}, title="T"),
        runner=Runner(cast("Any", engine)),
        overrides={},
        now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def address(engine: FakeEngine) -> Iterator[str]:
    with served(_site(engine)) as address:
        yield address


def _ask(url: str, *, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
    request = urllib.request.Request(url, method=method, headers={k.replace("_", "-"): v for k, v in headers.items()})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read().decode()


@pytest.mark.parametrize("path", ["", "assets/app.js", "assets/app.css", "assets/vega.js", "api/tile/p0w0", "nothing"])
def test_every_answer_carries_the_policy(address: str, path: str) -> None:
    status, headers, _ = _ask(address + path)
    assert status == (404 if path == "nothing" else 200)
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_only_get_is_answered(address: str, method: str) -> None:
    assert _ask(address, method=method)[0] == 405


def test_bug_is_answered_with_the_policy_and_without_a_word_of_it(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the words of a user")

    monkeypatch.setattr(Site, "tile", fail)

    status, headers, body = _ask(address + "api/tile/p0w0")

    assert status == 500
    assert "words" not in body
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_rebound_name_gets_nothing(address: str, engine: FakeEngine) -> None:
    assert _ask(address, Host="evil.example")[0] == 403
    assert _ask(address + "api/tile/p0w0", Host="evil.example:80")[0] == 403


def test_pages_of_others_get_nothing(address: str) -> None:
    assert _ask(address + "api/tile/p0w0", Sec_Fetch_Site="cross-site")[0] == 403
    assert _ask(address + "api/tile/p0w0", Sec_Fetch_Site="same-origin")[0] == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("api/tile/p7w7", 404),
        ("api/options/p0w0", 404),
        ("api/tile/p0w0?s=%7B", 400),
        ("api/tile/p0w0?s=" + urllib.parse.quote('{"x": [{"w": "p0w9", "v": {"a": [1]}}]}'), 400),
        ("api/tile/p0w0?g=-1", 400),
        ("api/conversation", 400),
        ("api/conversation?c=" + "x" * 200, 400),
        ("assets/../app.js", 404),
        ("assets/%2e%2e/%2e%2e/etc/passwd", 404),
    ],
)
def test_requests_that_are_not_ours_are_refused(address: str, path: str, status: int) -> None:
    assert _ask(address + path)[0] == status


def test_equal_tiles_share_one_run_until_the_page_reloads(address: str, engine: FakeEngine) -> None:
    def runs() -> int:
        return sum("SELECT 1" in text for text in engine.statements)

    first, second = (_ask(address + "api/tile/p0w0")[2] for _ in range(2))
    assert (first, runs()) == (second, 1)
    _ask(address + "api/tile/p0w0?g=1")
    assert (runs(), engine.refreshes) == (2, 1)


def test_slow_tile_keeps_nobody_waiting() -> None:
    engine = FakeEngine(hold=threading.Event())
    assert engine.hold is not None
    with served(_site(engine)) as address, ThreadPoolExecutor(1) as pool:
        try:
            slow = pool.submit(_ask, address + "api/tile/p0w1")
            assert [_ask(address + path)[0] for path in ("", "assets/app.js", "api/tile/p0w0")] == [200, 200, 200]
            assert not slow.done()
        finally:
            engine.hold.set()
        assert slow.result(30)[0] == 200


def test_failure_is_told_and_tried_again_next_time() -> None:
    engine = FakeEngine(error=RuntimeError("warehouse\x1b[31m is\nstopped"))
    runner = Runner(cast("Any", engine))
    with pytest.raises(QueryError, match=r"^warehouse \[31m is stopped$"):
        runner.rows(BoundSql("SELECT 1"))
    engine.error = None
    assert runner.rows(BoundSql("SELECT 1")).table.num_rows == 1


def test_values_of_different_types_are_different_statements() -> None:
    engine = FakeEngine()
    runner = Runner(cast("Any", engine))
    for value in (1, 1.0, True, "1"):
        runner.rows(BoundSql("SELECT :p", {"p": value}))
    assert len(engine.statements) == 4


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.168.1.9", "example.com", "localhost.example.com"])  # noqa: S104  # refused
def test_other_addresses_need_a_flag_and_are_told_what_it_means(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dashboard", "serve", "--host", host, "--port", "0"]) == 2

    said = capsys.readouterr().err
    assert "read every question and answer, unencrypted and without a password" in said
    assert "--expose" in said


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_addresses_of_this_machine_need_no_flag(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dashboard", "serve", "--host", host, "--dashboard", "/nowhere"]) == 2

    said = capsys.readouterr().err
    assert "--dashboard /nowhere: cannot be read" in said
    assert "--expose" not in said


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., int]:
    lakehouse = make_lakehouse(tmp_path / "lakehouse")
    dashboard = tmp_path / "d.lvdash.json"
    dashboard.write_text("{}")
    base = ["dashboard", "export", "--lakehouse", str(lakehouse), "--dashboard", str(dashboard), "--out"]
    return lambda out, *flags: main([*base, str(out), *flags])


def test_export_replaces_its_own_file_and_no_other(export: Callable[..., int], tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    assert [export(out), export(out)] == [0, 0]
    assert out.stat().st_mode & 0o777 == 0o600

    out.write_text("my notes")
    assert export(out) == 2
    assert out.read_text() == "my notes"
    assert export(out, "--overwrite") == 0
    assert out.read_text().startswith("<!doctype html>")


def test_export_writes_through_no_link_and_leaves_nothing_beside(export: Callable[..., int], tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("kept")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "page.html").symlink_to(precious)
    (folder / "other.html.partial").symlink_to(precious)

    assert export(folder / "page.html") == 2
    assert export(folder / "page.html", "--overwrite") == 2
    assert export(folder / "other.html") == 0

    assert precious.read_text() == "kept"
    assert sorted(path.name for path in folder.iterdir()) == ["other.html", "other.html.partial", "page.html"]
