"""What documentation shows can be typed: SQL is Databricks SQL, commands and their flags exist."""

from __future__ import annotations

import json
import logging
import re
import runpy
import shlex
import textwrap
from collections.abc import Iterator

import click
import pytest
import sqlglot
from databricks.bundles.schemas import Privilege
from sqlglot import exp
from tests.deploy.bundle import ROOT, load_bundle

from genie_obs.command.cli import cli

DOCUMENTS = sorted(
    [ROOT / "README.md", ROOT / "sql" / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("docs/decisions/*.md")]
)
# What the official package knows as privileges, as SQL spells them.
PRIVILEGE = "(" + "|".join(sorted(privilege.value.replace("_", " ") for privilege in Privilege)) + ")"
SECURABLE = r"(CATALOG|SCHEMA|TABLE|FUNCTION) [\w.]+"
# Statements of Unity Catalog that sqlglot knows by their first words only.
COMMANDS = (
    re.compile(rf"GRANT {PRIVILEGE}(, {PRIVILEGE})* ON {SECURABLE} TO `[\w-]+`"),
    re.compile(rf"REVOKE {PRIVILEGE}(, {PRIVILEGE})* ON {SECURABLE} FROM `[\w-]+`"),
    re.compile(r"ALTER TABLE [\w.]+ SET TAGS \('\w+' = '\w+'\)"),
    re.compile(r"ALTER TABLE [\w.]+ ALTER COLUMN \w+ SET TAGS \('\w+' = '\w+'\)"),
    re.compile(r"ALTER TABLE [\w.]+ ALTER COLUMN \w+ SET MASK [\w.]+ USING COLUMNS \(\w+(, \w+)*\)"),
    re.compile(r"ALTER TABLE [\w.]+ SET ROW FILTER [\w.]+ ON \(\w+(, \w+)*\)"),
)


def blocks(*languages: str) -> Iterator[tuple[str, str]]:
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for number, found in enumerate(re.finditer(r"^([ ]*)```(\w+)\n(.*?)^\1```", text, re.DOTALL | re.MULTILINE)):
            if found.group(2) in languages:
                yield f"{document.relative_to(ROOT)}#{number}", textwrap.dedent(found.group(3))


SQL = dict(blocks("sql"))
SHELL = dict(blocks("bash", "console", "shell", "sh"))


def shell_lines(text: str, *, is_console: bool) -> list[str]:
    """Return the commands of a block; a transcript marks its commands with a dollar sign."""
    joined = text.replace("\\\n", " ")
    lines = [line.strip() for line in joined.splitlines()]
    if is_console:
        lines = [line.removeprefix("$").strip() for line in lines if line.startswith("$")]
    return [line for line in lines if line]


def genie_obs_commands() -> list[tuple[str, list[str]]]:
    """Return every call of our command in any block, with where it stands."""
    found = []
    for place, text in SHELL.items():
        is_console = any(line.lstrip().startswith("$ ") for line in text.splitlines())
        found += [
            (place, shlex.split(line, comments=True)[1:])
            for line in shell_lines(text, is_console=is_console)
            if re.match(r"\S*genie-obs\s", line)
        ]
    return found


@pytest.mark.parametrize("place", SQL)
def test_sql_in_documentation_is_databricks_sql(place: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="sqlglot"):
        statements = [
            statement for statement in sqlglot.parse(SQL[place], dialect="databricks") if statement is not None
        ]
    assert statements
    for statement in statements:
        if isinstance(statement, exp.Command):
            text = " ".join(statement.sql(dialect="databricks", comments=False).split())
            assert any(pattern.fullmatch(text) for pattern in COMMANDS), text


def test_there_is_sql_for_grants_masks_and_deletions() -> None:
    text = "\n".join(SQL.values())
    for expected in (
        "GRANT USE SCHEMA, SELECT ON SCHEMA system.access",
        "SET MASK",
        "SET ROW FILTER",
        "WHERE is_deleted",
    ):
        assert expected in text


def test_calls_of_our_command_name_commands_and_flags_that_exist() -> None:
    calls = genie_obs_commands()
    assert calls
    for place, words in calls:
        command: click.Command | None = cli
        context = click.Context(cli)
        rest = list(words)
        while rest and isinstance(command, click.Group) and not rest[0].startswith("-"):
            command = command.get_command(context, rest.pop(0))
            assert command is not None, f"{place}: genie-obs {' '.join(words)}"
        assert command is not None
        flags = {flag for parameter in command.params for flag in parameter.opts} | {"--help", "--version"}
        assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= flags, place


def test_flags_of_the_secrets_script_exist() -> None:
    parse_options = runpy.run_path(str(ROOT / "scripts" / "create_genie_obs_secrets.py"))["parse_options"]
    lines = [
        line for text in SHELL.values() for line in shell_lines(text, is_console=False) if "create_genie_obs" in line
    ]
    assert len(lines) >= 3
    for line in lines:
        parse_options(shlex.split(line)[2:])


def test_bundle_commands_name_resources_and_targets_that_exist() -> None:
    keys = {key for _, key, _ in load_bundle("prod").all()}
    text = "\n".join(SHELL.values())
    assert set(re.findall(r"--target (\w+)", text)) == {"prod"}
    named = re.findall(r"databricks bundle (?:run|deployment (?:un)?bind)(?: --target \w+)? (\w+)", text)
    assert named
    assert set(named) <= keys


def test_variables_in_documentation_are_those_of_the_bundle() -> None:
    declared = set(load_bundle("prod").config["variables"])
    for place, text in blocks("json"):
        assert set(json.loads(text)) <= declared, place
    table = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8").partition("| variable |")[2].partition("\n\n")[0]
    documented = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert documented | {"shard_concurrency"} == declared


def test_links_of_decisions_lead_somewhere() -> None:
    for document in (ROOT / "docs" / "decisions").glob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_links_into_a_page_name_a_heading() -> None:
    for document in DOCUMENTS:
        for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", document.read_text(encoding="utf-8")):
            page = document.parent / target if target else document
            headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{document.name} links to {target}#{anchor}"
