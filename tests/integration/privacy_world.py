"""A simulated account in which every text holds words that occur nowhere else, and a search for them in the files of a lakehouse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
from tests.integration.conftest import World

from genie_obs.simulator import SimulatedMessage

WORD = "Zebrafish"
ADDRESS = "ana.maria@zebra.example"
TEXT = f"{WORD} {ADDRESS}"


def mark_all_texts(world: World) -> None:
    """Put the words into every text of every message, space and statement, and publish the system tables anew."""
    for message in world.account.messages():
        mark(message)
    for workspace in world.account.workspaces.values():
        for space in workspace.spaces.values():
            space.description = f"{TEXT} description"
            space.owner = replace(space.owner, email=ADDRESS)  # in whose folder it is
    for message in list(world.account.messages())[::3]:
        for query in message.queries:
            query.sql_override = f"SELECT 1 WHERE x = '{TEXT} sql'"
    for statement in world.account.statements.by_id.values():
        statement.error = f"{TEXT} statement error"
    world.account.publications.clear()  # what is published already would not be written again
    world.publish()


def mark(message: SimulatedMessage) -> None:
    """Put the words into the texts of one message."""
    message.content = f"{TEXT} question"
    message.text = f"{TEXT} answer"
    message.suggestions = (f"{TEXT} suggestion",)
    if message.error is not None:
        message.error = (message.error[0], f"{TEXT} error")
    message.feedback = ("NEGATIVE", f"{TEXT} comment")
    message.body = None


def places_of(text: str, folder: Path) -> list[str]:
    """Return the files under a folder that hold a text, in their bytes or in the values of a Parquet file."""
    return sorted(str(file.relative_to(folder)) for file in _files(folder) if _holds(file, text))


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if file.is_file())


def _holds(file: Path, text: str) -> bool:
    if text.encode() in file.read_bytes():
        return True
    return file.suffix == ".parquet" and text in str(pq.ParquetFile(file).read().to_pydict())
