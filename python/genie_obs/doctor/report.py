"""What `genie-obs doctor` found: one line per check, each failure with the one thing that fixes it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from genie_obs.errors import clean_text

EXIT_COMPLETE = 0
EXIT_NOT_AT_ALL = 2
EXIT_PARTIAL = 3

_MAX_DETAIL_CHARACTERS = 400
_ADVICE = {
    EXIT_COMPLETE: "Ingestion would work completely.",
    EXIT_PARTIAL: "Ingestion would work, but not everything could be read: see the lines that fail.",
    EXIT_NOT_AT_ALL: "Ingestion would not work: see the lines that fail.",
}


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"  # ingestion works all the same
    FAIL = "fail"
    SKIP = "skip"  # not checked, because something it needs failed


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line: what was checked, what was found, and how to correct it."""

    name: str
    status: Status
    detail: str
    fix: str | None = None
    is_partial: bool = False  # a failure that costs one workspace or one space, not the whole run


@dataclass(frozen=True)
class DoctorReport:
    """All checks, in the order they were made."""

    checks: tuple[Check, ...]

    @property
    def exit_code(self) -> int:
        """Return 0 when everything would be read, 3 when some workspace or space would not, 2 when nothing would."""
        failed = [check for check in self.checks if check.status is Status.FAIL]
        if any(not check.is_partial for check in failed):
            return EXIT_NOT_AT_ALL
        return EXIT_PARTIAL if failed else EXIT_COMPLETE

    @property
    def summary(self) -> str:
        """Return what the exit code says, in a sentence."""
        return _ADVICE[self.exit_code]

    def to_json(self) -> str:
        """Return the report as one line of JSON."""
        checks: list[dict[str, Any]] = [asdict(check) for check in self.checks]
        return json.dumps({"exit_code": self.exit_code, "summary": self.summary, "checks": checks}, ensure_ascii=False)

    def lines(self) -> Iterable[str]:
        """Yield the report as text: a line for each check, its fix below it if it has one, and the summary last."""
        width = max((len(check.name) for check in self.checks), default=0)
        for check in self.checks:
            yield f"{check.status:<4}  {check.name:<{width}}  {check.detail}"
            if check.fix:
                yield f"      {'':<{width}}  fix: {check.fix}"
        yield self.summary


def ok(name: str, detail: str) -> Check:
    """Return a check that found everything as it should be."""
    return Check(name=name, status=Status.OK, detail=_clean(detail))


def warn(name: str, detail: str, *, fix: str | None = None) -> Check:
    """Return a check that found something worth knowing that does not stop ingestion."""
    return Check(name=name, status=Status.WARN, detail=_clean(detail), fix=fix)


def fail(name: str, detail: str, *, fix: str, is_partial: bool = False) -> Check:
    """Return a check that found what stops ingestion, or with `is_partial` what costs one workspace or space."""
    return Check(name=name, status=Status.FAIL, detail=_clean(detail), fix=fix, is_partial=is_partial)


def skip(name: str, detail: str) -> Check:
    """Return a check that could not be made."""
    return Check(name=name, status=Status.SKIP, detail=_clean(detail))


def _clean(detail: str) -> str:
    # Some of it is what services and engines said: one line, no control characters, not a page.
    return clean_text(detail, limit=_MAX_DETAIL_CHARACTERS)
