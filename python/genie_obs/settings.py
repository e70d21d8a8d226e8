"""Declares each setting once, as a field of a settings group. Flags, variables and parsing follow from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

from genie_obs.errors import BadValueError, ConfigError, Problem
from genie_obs.identifiers import is_id, is_identifier

_DECLARATION = "setting"
# Where a value may hold a secret: in an address, before an @, and after a name such as token=.
_ADDRESS = re.compile(r"(\bsc:/*|//)(.*)", re.IGNORECASE)
_USER_INFO = re.compile(r"((?:^|\s)(?:[\w-]+=)?)(?!\S*//)\S*@")
_NAMED_SECRET = re.compile(r"([\w-]*(?:token|secret|password)[\w-]*=)[^;&\s]*", re.IGNORECASE)

N = TypeVar("N", int, float)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting as users spell it: the field's name, with dashes as a flag, in capitals as a variable."""

    name: str
    default: Any
    parse: Callable[[str], Any]  # raises BadValueError
    metavar: str
    help: str

    @property
    def flag(self) -> str:
        """Return the command-line spelling."""
        return "--" + self.name.replace("_", "-")

    @property
    def default_text(self) -> str:
        """Return the default as one would write it, '' for none."""
        if self.default is None:
            return ""
        return ",".join(self.default) if isinstance(self.default, tuple) else str(self.default).removesuffix(".0")

    @property
    def variable(self) -> str:
        """Return the environment variable."""
        return "GENIE_OBS_" + self.name.upper()


def setting(default: Any, parse: Callable[[str], Any], *, metavar: str, help: str) -> Any:  # noqa: A002  # click's word
    """Declare a field of a settings group as a setting that users may give.

    Args:
        default: its value where nothing is given.
        parse: turns what was given into a value; raises BadValueError.
        metavar: what a value looks like, for the help text.
        help: what the setting means, in a sentence; says the default where it is not obvious.
    """
    return field(default=default, metadata={_DECLARATION: (parse, metavar, help)})


def declared_in(group: type) -> Iterator[Setting]:
    """Yield the settings of a group, and of the groups in it, in the order of their fields."""
    hints = get_type_hints(group)
    for item in fields(group):
        if _DECLARATION in item.metadata:
            parse, metavar, text = item.metadata[_DECLARATION]
            yield Setting(name=item.name, default=item.default, parse=parse, metavar=metavar, help=text)
        elif is_dataclass(hints[item.name]):
            yield from declared_in(hints[item.name])


def build(group: type[T], values: Mapping[str, Any]) -> T:
    """Return a group, and the groups in it, filled with the values of its settings by name."""
    hints = get_type_hints(group)
    filled = {
        item.name: values[item.name] if _DECLARATION in item.metadata else build(hints[item.name], values)
        for item in fields(group)  # type: ignore[arg-type]  # groups are dataclasses
    }
    return group(**filled)


def take_values(
    declared: tuple[Setting, ...], flags: Mapping[str, str | None], environ: Mapping[str, str]
) -> dict[str, Any]:
    """Look up every setting: its flag, else its variable, else its default. Blank counts as not given.

    Raises:
        ConfigError: lists every problem found, each with its flag or variable.
    """
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for item in declared:
        source, text = item.flag, (flags.get(item.name) or "").strip()
        if not text:
            source, text = item.variable, environ.get(item.variable, "").strip()
        try:
            values[item.name] = item.parse(text) if text else item.default
        except BadValueError as error:
            problem = f"{source} {hide_passwords(text)!r}: {hide_passwords(error.problem)}"
            problems.append(Problem(problem, error.fix))
    if problems:
        raise ConfigError(problems)
    return values


def hide_passwords(text: str) -> str:
    """Return the text of a setting without secrets, so that it can be shown or logged. It may be mistyped.

    An address may hold a password before its @. A Spark Connect address may hold a token after its first semicolon:
    `sc://host:443/;token=abc` becomes `sc://host:443/;***`.
    """
    text = _ADDRESS.sub(lambda found: found[1] + _hide_in_address(found[2]), text)
    text = _USER_INFO.sub(r"\1***@", text)
    return _NAMED_SECRET.sub(r"\1***", text)


def _hide_in_address(address: str) -> str:
    place, mark, parameters = re.match(r"([^;?]*)([;?]?)(.*)", address, re.DOTALL).groups()  # type: ignore[union-attr]  # matches all
    if "@" in parameters:
        return "***"  # the mark may be a part of the password
    _, at, host = place.rpartition("@")
    return (f"***@{host}" if at else place) + (f"{mark}***" if mark else "")


def identifier(text: str) -> str:
    """Parse the name of a catalog or schema."""
    if not is_identifier(text):
        raise BadValueError("not a name", "Use letters, digits, _ and -, starting with a letter.")
    return text


def ids(text: str) -> tuple[str, ...]:
    """Parse ids separated by commas."""
    found = words(text)
    for value in found:
        if not is_id(value):
            raise BadValueError(f"{value!r} is not an id", "Separate ids by commas.")
    return found


def words(text: str) -> tuple[str, ...]:
    """Parse words separated by commas; each once."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Return the parser of a whole number within bounds, both included."""
    return _within(int, "a whole number", least, most)


def number(least: float, most: float) -> Callable[[str], float]:
    """Return the parser of a number within bounds, both included."""
    return _within(float, "a number", least, most)


def _within(kind: Callable[[str], N], what: str, least: N, most: N) -> Callable[[str], N]:
    fix = f"Use {least} to {most}."

    def parse(text: str) -> N:
        try:
            value = kind(text)
        except ValueError:
            raise BadValueError(f"not {what}", fix) from None
        if not least <= value <= most:
            raise BadValueError("out of range", fix)
        return value

    return parse
