"""Fault rules: which requests fail, how, and how often."""

import fnmatch
import json
import random
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from genie_obs.simulator.server.refusals import REFUSALS

ACTIONS = (
    "reset",  # the connection is reset before any byte of the answer
    "timeout",  # nothing comes until the client gives up
    "truncate",  # half of the body, then the connection closes
    "stall",  # half of the body, then nothing until the client gives up
    "invalid_json",  # 200 with text that is not JSON
    "html_502",  # a proxy's error page
    "html_404",  # a proxy's "not found" page; it does not mean that the thing does not exist
    "wrong_content_type",  # 200 with a sign-in page in HTML
    "gzip_bomb",  # 200 with a small body that decompresses to 128 MB of valid JSON
    "redirect",  # 302 to another host, `location` if given
    "expire_token",  # 401: all tokens of the workspace have just ended
    "empty_page",  # a list without items but with a next page
    "repeat_page_token",  # a list whose next token is the one of the request
)
_NUMBERS = {"skip": int, "times": int, "probability": float}


@dataclass(frozen=True, kw_only=True)
class FaultRule:
    """Lets matching requests fail. The first `skip` of them pass, then `times` fail (None: all).

    `operation` is a name or a pattern, such as `get_message` or `list_*`. `path` is a regular expression that is searched in the path.
    Either `status`, `action` or `refusal` (a name of `REFUSALS`) says what happens. `probability` is drawn from a seeded generator.
    """

    operation: str = "*"
    path: str | None = None
    workspace_id: str | None = None
    status: int | None = None
    action: str | None = None
    refusal: str | None = None
    retry_after: str | None = None  # the value of the header, as it is
    location: str | None = None  # target of a redirect
    skip: int = 0
    times: int | None = None
    probability: float = 1.0

    def __post_init__(self) -> None:
        if sum(effect is not None for effect in (self.status, self.action, self.refusal)) != 1:
            raise ValueError("a fault rule needs either a status, an action or a refusal")
        if self.refusal is not None and self.refusal not in REFUSALS:
            raise ValueError(f"no refusal {self.refusal!r}; choose one of {', '.join(REFUSALS)}")
        if self.action is not None and self.action not in ACTIONS:
            raise ValueError(f"no fault action {self.action!r}; choose one of {', '.join(ACTIONS)}")
        if self.status is not None and not 300 <= self.status <= 599:
            raise ValueError(f"a fault's status must be between 300 and 599, got {self.status}")
        if not 0 <= self.probability <= 1 or self.skip < 0 or (self.times is not None and self.times < 1):
            raise ValueError("a fault rule needs 0 <= probability <= 1, skip >= 0 and times >= 1")
        if self.path is not None:
            try:
                re.compile(self.path)
            except re.error as error:
                raise ValueError(f"the path pattern {self.path!r} is no regular expression: {error}") from error

    @classmethod
    def parse(cls, text: str) -> "FaultRule":
        """Return the rule of a flag, `operation:status-action-or-refusal[:name=value,…]`, e.g. `get_message:503:times=3,skip=2`.

        Raises:
            ValueError: if the text is no rule; the message says why.
        """
        parts = text.split(":", 2)
        if len(parts) < 2 or not parts[0] or not parts[1]:
            raise ValueError(
                f"a fault is operation:status-or-action[:name=value,...], e.g. get_message:503:times=3; got {text!r}"
            )
        kind = "status" if parts[1].isdecimal() else "refusal" if parts[1] in REFUSALS else "action"
        effect: dict[str, Any] = {kind: int(parts[1]) if kind == "status" else parts[1]}
        options = dict(item.partition("=")[::2] for item in parts[2].split(",")) if len(parts) == 3 and parts[2] else {}
        return cls.from_mapping({"operation": parts[0], **effect, **options})

    @classmethod
    def from_mapping(cls, values: dict[str, Any]) -> "FaultRule":
        """Return the rule of a JSON object whose names are the fields of this class.

        Raises:
            ValueError: for unknown names and values of the wrong kind.
        """
        known = {field.name for field in fields(cls)}
        unknown = set(values) - known
        if unknown:
            raise ValueError(f"a fault rule has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}")
        converted = dict(values)
        for name, kind in _NUMBERS.items():
            if converted.get(name) is not None:
                try:
                    converted[name] = kind(converted[name])
                except ValueError as error:
                    raise ValueError(f"{name} of a fault rule must be a number, got {converted[name]!r}") from error
        return cls(**converted)


def load_fault_file(path: Path) -> list[FaultRule]:
    """Return the rules of a JSON file: a list of objects.

    Raises:
        ValueError: if the file does not hold rules.
        OSError: if it cannot be read.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    if not isinstance(values, list) or not all(isinstance(item, dict) for item in values):
        raise ValueError(f"{path} must hold a list of objects, one per fault rule")
    return [FaultRule.from_mapping(item) for item in values]


class FaultInjector:
    """Counts the requests that match each rule. The first rule that is due decides."""

    def __init__(self, rules: Sequence[FaultRule], *, seed: int) -> None:
        self._rules = [(rule, re.compile(rule.path) if rule.path else None, _Count()) for rule in rules]
        self._rng = random.Random(f"{seed}/faults")
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._rules)

    def find(self, workspace_id: str, operation: str, path: str) -> FaultRule | None:
        """Return the rule that this request fails by, or None. Count the request."""
        with self._lock:
            for rule, pattern, count in self._rules:
                if rule.workspace_id not in (None, workspace_id) or not fnmatch.fnmatchcase(operation, rule.operation):
                    continue
                if (pattern is None or pattern.search(path)) and self._is_due(rule, count):
                    return rule
        return None

    def _is_due(self, rule: FaultRule, count: "_Count") -> bool:
        if rule.times is not None and count.hits >= rule.times:
            return False
        if rule.probability < 1 and self._rng.random() >= rule.probability:
            return False
        count.matches += 1
        if count.matches <= rule.skip:
            return False
        count.hits += 1
        return True


class _Count:
    __slots__ = ("hits", "matches")

    def __init__(self) -> None:
        self.matches = 0
        self.hits = 0
