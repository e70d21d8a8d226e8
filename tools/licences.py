"""List the licences of what the wheel pulls in at run time, with all extras, and fail on one that is not allowed.

    python tools/licences.py

Read from the metadata of what is installed: the locked versions. An entry of the list is allowed because it may be used and
passed on with an Apache-2.0 package; copyleft ones that reach into our own code are not.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = "genie-obs"
EXTRAS = (
    "local",
    "preview",
)  # `connect` excludes `local`; databricks-connect is under Databricks' own licence, see below
ALLOWED = frozenset(
    {
        "Apache-2.0",
        "MIT",
        "MIT-0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "0BSD",
        "ISC",
        "PSF-2.0",
        "Python-2.0",
        "Zlib",
        "MPL-2.0",
        "CC0-1.0",
    }
)
# Packages whose metadata says it in words; the name is the SPDX one of the licence file they ship.
_WORDS = {
    "apache": "Apache-2.0", "apache 2.0": "Apache-2.0", "apache-2.0": "Apache-2.0", "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "http://www.apache.org/licenses/license-2.0": "Apache-2.0",
    "mit license": "MIT", "mit": "MIT", "bsd": "BSD-3-Clause", "bsd license": "BSD-3-Clause", "new bsd license": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause", "bsd-3-clause": "BSD-3-Clause", "bsd-2-clause": "BSD-2-Clause",
    "3-clause bsd license": "BSD-3-Clause", "isc license (iscl)": "ISC", "isc": "ISC",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0", "mpl-2.0": "MPL-2.0",
    "python software foundation license": "PSF-2.0", "psf-2.0": "PSF-2.0", "dual license": "Apache-2.0 OR BSD-3-Clause",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Part:
    """One installed package and its licence as an SPDX expression; '' where nothing says it."""

    name: str
    version: str
    licence: str

    @property
    def is_allowed(self) -> bool:
        """Return whether every licence that must hold is allowed; of alternatives one is enough."""
        demands = re.split(r"\s+AND\s+", self.licence.replace("(", "").replace(")", ""))
        return all(
            any(choice.partition(" WITH ")[0] in ALLOWED for choice in re.split(r"\s+OR\s+", one)) for one in demands
        )


def find_parts(extras: tuple[str, ...] = EXTRAS) -> list[Part]:
    """Return what the wheel pulls in, by name; needs the packages to be installed."""
    seen: dict[str, Part] = {}
    open_: list[tuple[str, frozenset[str]]] = [(PACKAGE, frozenset(extras))]
    while open_:
        name, wanted = open_.pop()
        distribution = metadata.distribution(name)
        if name != PACKAGE:
            seen[canonicalize_name(name)] = _part(distribution)
        open_ += [
            (needed.name, frozenset(needed.extras))
            for needed in _requirements(distribution, wanted)
            if canonicalize_name(needed.name) not in seen
        ]
    return sorted(seen.values(), key=lambda part: part.name)


def _requirements(distribution: metadata.Distribution, extras: frozenset[str]) -> Iterator[Requirement]:
    for text in distribution.requires or ():
        needed = Requirement(text)
        if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras | {""}):
            yield needed


def _part(distribution: metadata.Distribution) -> Part:
    facts: Mapping[str, str] = distribution.metadata  # type: ignore[assignment]  # reads like one
    stated = facts.get("License-Expression") or _spdx(facts.get("License") or "")
    return Part(
        name=canonicalize_name(facts["Name"]),
        version=distribution.version,
        licence=stated or _from_classifiers(distribution),
    )


def _from_classifiers(distribution: metadata.Distribution) -> str:
    stated = distribution.metadata.get_all("Classifier") or []
    names = [line.rpartition(" :: ")[2] for line in stated if line.startswith("License :: OSI Approved :: ")]
    return " OR ".join(filter(None, map(_spdx, names)))


def _spdx(words: str) -> str:
    text = words.strip()
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    return text if re.fullmatch(r"[A-Za-z0-9.+-]+(\s+(AND|OR|WITH)\s+[A-Za-z0-9.+-]+)*", text) else ""


def main() -> int:
    """Print one line a package; 1 if any is not allowed."""
    parts = find_parts()
    for part in parts:
        print(
            f"{part.name:<28} {part.version:<14} {part.licence or 'unknown'}{'' if part.is_allowed else '   NOT ALLOWED'}"
        )
    return 0 if all(part.is_allowed for part in parts) else 1


if __name__ == "__main__":
    sys.exit(main())
