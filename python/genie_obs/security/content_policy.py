"""What of a message's text may be written: a policy per workspace and space, applied before anything reaches a table. Pure.

`full` keeps text verbatim, `redacted` masks what identifies a person or gives access, `hashed` keeps a keyed hash of each
text (equal questions stay equal), `metrics_only` keeps none. Ids, times, statuses, ratings, counts and the asker stay in all.
`hashed` and `metrics_only` leave something in place of a text, so that answers can still be counted.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from genie_obs.errors import BadValueError, ConfigError
from genie_obs.json_text import to_json
from genie_obs.secret import CONTENT_HASH_KEY, CONTENT_HASH_KEY_VARIABLE, SECRET_SCOPE, Secret
from genie_obs.security.redaction import Redactor
from genie_obs.security.texts import NOT_KEPT, WORD_PATTERN, Texts
from genie_obs.settings import setting, words

Row = dict[str, Any]

_WORD = re.compile(WORD_PATTERN)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HASH_CHARACTERS = 32  # 128 bits: no two texts of an account get the same hash by chance
_LEAST_KEY_CHARACTERS = 16


class Policy(StrEnum):
    """What is kept of a text, from everything to nothing."""

    FULL = "full"
    REDACTED = "redacted"
    HASHED = "hashed"
    METRICS_ONLY = "metrics_only"
    # Nobody can choose it: erasure sets it, and no run changes the texts of such a row again.
    ERASED = "erased"

    @property
    def strictness(self) -> int:
        """Return its place in the order above."""
        return list(Policy).index(self)


CHOICES = tuple(policy for policy in Policy if policy is not Policy.ERASED)
_NAMES = frozenset(policy.value for policy in Policy)


@dataclass(frozen=True, kw_only=True)
class ContentPolicies:
    """Which policy holds where: the space's own, else its workspace's, else the default."""

    default: Policy = Policy.FULL
    workspaces: Mapping[str, Policy] = field(default_factory=dict)
    spaces: Mapping[tuple[str, str], Policy] = field(default_factory=dict)

    def __str__(self) -> str:
        places = {**self.workspaces, **{"/".join(key): p for key, p in self.spaces.items()}}
        return "; ".join([self.default, *(f"{place}={policy}" for place, policy in places.items())])

    def of(self, workspace_id: str, space_id: str | None) -> Policy:
        """Return the policy of a space."""
        by_space = self.spaces.get((workspace_id, space_id or ""))
        return by_space or self.workspaces.get(workspace_id) or self.default

    def all(self) -> frozenset[Policy]:
        """Return every policy that is in force somewhere."""
        return frozenset({self.default, *self.workspaces.values(), *self.spaces.values()})


def parse_policies(text: str) -> ContentPolicies:
    """Read ``full; 123=redacted; 123/01ef=metrics_only``: the default, policies of workspaces, policies of spaces.

    Raises:
        BadValueError: naming every part that cannot be read.
    """
    default: list[Policy] = []
    workspaces: dict[str, Policy] = {}
    spaces: dict[tuple[str, str], Policy] = {}
    problems: list[str] = []
    for part in filter(None, map(str.strip, text.split(";"))):
        place, equals, name = (piece.strip() for piece in part.rpartition("="))
        policy = next((choice for choice in CHOICES if choice.value == name), None)
        workspace_id, slash, space_id = (piece.strip() for piece in place.partition("/"))
        if policy is None:
            problems.append(f"{name!r} is no policy")
        elif not equals:
            default.append(policy)
        elif not _ID.fullmatch(workspace_id) or (slash and not _ID.fullmatch(space_id)):
            problems.append(f"{place!r} is neither a workspace id nor workspace id/space id")
        elif (workspace_id, space_id) in spaces or (not slash and workspace_id in workspaces):
            problems.append(f"{place} has two policies")
        elif slash:
            spaces[workspace_id, space_id] = policy
        else:
            workspaces[workspace_id] = policy
    if len(default) > 1:
        problems.append(f"two defaults, {' and '.join(default)}; put the workspace id and '=' before one of them")
    if problems:
        raise BadValueError(
            "; ".join(problems),
            f"Use {', '.join(CHOICES)}; WORKSPACE=POLICY or WORKSPACE/SPACE=POLICY where it differs.",
        )
    return ContentPolicies(default=default[0] if default else Policy.FULL, workspaces=workspaces, spaces=spaces)


def _parse_regions(text: str) -> tuple[str, ...]:
    from phonenumbers import (
        SUPPORTED_REGIONS,
    )  # imported here: at the top it would cost every command some milliseconds

    regions = tuple(dict.fromkeys(word.upper() for word in words(text)))
    if unknown := [region for region in regions if region not in SUPPORTED_REGIONS]:
        raise BadValueError(f"{', '.join(unknown)}: no country", "Use two-letter codes such as US,DE.")
    return regions


@dataclass(frozen=True, kw_only=True)
class ContentSettings:
    """What may be written of a message's text."""

    content_policy: ContentPolicies = setting(
        ContentPolicies(),
        parse_policies,
        metavar="POLICY; WORKSPACE=POLICY; WORKSPACE/SPACE=POLICY",
        help="What is kept of texts: full, redacted, hashed or metrics_only; by workspace and space where it differs.",
    )
    phone_regions: tuple[str, ...] = setting(
        ("US",),
        _parse_regions,
        metavar="CC,CC",
        help="Policy redacted: countries whose national phone numbers are masked, beside international ones.",
    )

    @property
    def needs_hash_key(self) -> bool:
        """Return whether some text is to be hashed."""
        return Policy.HASHED in self.content_policy.all()


class ContentGuard:
    """Applies the policies. Every row with text passes through it before it is written to a table."""

    def __init__(self, settings: ContentSettings, *, hash_key: Secret | None = None) -> None:
        """Make a guard.

        Args:
            settings: the policies.
            hash_key: key of the hashes; only `hashed` needs one.

        Raises:
            ConfigError: if a policy is `hashed` and there is no key, or one that can be guessed.
        """
        self._policies = settings.content_policy
        self._hash_key = _checked_key(hash_key) if settings.needs_hash_key else b""
        is_redacting = Policy.REDACTED in settings.content_policy.all()
        self._redactor = Redactor(settings.phone_regions) if is_redacting else None

    @property
    def keeps_everything(self) -> bool:
        """Return whether every text is kept verbatim, so that rows need not pass through here."""
        return self._policies.all() == {Policy.FULL}

    def policy_of(self, workspace_id: str, space_id: str | None) -> Policy:
        """Return the policy that holds in a space."""
        return self._policies.of(workspace_id, space_id)

    def protect(self, row: Row, texts: Texts, policy: Policy) -> Row:
        """Return a row of a table as a policy allows it; `texts` are those that the table declares."""
        if policy is Policy.FULL:
            return row
        kept: Row = {name: self.protect_text(row[name], policy) for name in texts.plain if name in row}
        kept |= {name: self._protect_list(row[name], policy) for name in texts.lists if name in row}
        kept |= {
            name: self._protect_json(row[name], nothing, policy) for name, nothing in texts.json.items() if name in row
        }
        kept |= {name: self._protect_word(row[name], policy) for name in texts.words if name in row}
        return {**row, **kept}

    def protect_statement_error(
        self, text: str | None, workspace_id: str, space_id: str | None, row_policy: str | None
    ) -> str | None:
        """Return a statement's error as the stricter of two policies allows it: the one in force, or that of its row."""
        if text is None:
            return None
        of_row = Policy(row_policy) if row_policy in _NAMES else Policy.FULL
        return self.protect_text(text, max(self._policies.of(workspace_id, space_id), of_row, key=_strictness))

    def protect_text(self, text: str | None, policy: Policy) -> str | None:
        """Return a text as a policy allows it. None stays None."""
        if text is None or policy is Policy.FULL:
            return text
        if policy is Policy.REDACTED and self._redactor is not None:
            return self._redactor.mask(text)
        if policy is Policy.HASHED and self._hash_key:
            digest = hmac.new(self._hash_key, text.encode(), "sha256").hexdigest()
            return f"[hash {digest[:_HASH_CHARACTERS]}]"
        return NOT_KEPT

    def _protect_list(self, values: Sequence[str] | None, policy: Policy) -> list[str | None] | None:
        return None if values is None else [self.protect_text(text, policy) for text in values]

    def _protect_json(self, text: str | None, nothing: str, policy: Policy) -> str | None:
        if text is None:
            return None
        if policy is not Policy.REDACTED or self._redactor is None:
            return nothing
        try:
            masked = to_json(self._redactor.mask_json(json.loads(text)))
        except (RecursionError, ValueError):
            masked = None
        # Not JSON, or nested too deep: it is masked as a text.
        return self._redactor.mask(text) if masked is None else masked

    def _protect_word(self, value: str | None, policy: Policy) -> str | None:
        """Return an enumerated value verbatim. A value of another form may be a person's words: protect it as a text."""
        return value if value is None or _WORD.fullmatch(value) else self.protect_text(value, policy)


def _checked_key(key: Secret | None) -> bytes:
    where = f"Set {CONTENT_HASH_KEY_VARIABLE}, or store {CONTENT_HASH_KEY} in the secret scope {SECRET_SCOPE}"
    if not key:
        problem = "Content policy 'hashed' needs a key: without one, a short question can be guessed from its hash"
        raise ConfigError(problem, f"{where}.")
    if len(key.reveal()) < _LEAST_KEY_CHARACTERS:
        problem = "The key of content policy 'hashed' is too short"
        raise ConfigError(problem, f"{where}; use {_LEAST_KEY_CHARACTERS} characters or more.")
    return key.reveal().encode()


def _strictness(policy: Policy) -> int:
    return policy.strictness
