"""What is said of a crash: where and what, never the data that was being worked on."""

from __future__ import annotations

import traceback
from pathlib import Path

from genie_obs.settings import hide_passwords

_MOST_CHARACTERS = 300
_MOST_FRAMES = 12


def describe_crash(error: BaseException, *, advice: str) -> str:
    """Return type, place and the head of a crash's message, and what to do."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "genie_obs" in frame.filename]
    place = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    head = hide_passwords((str(error).strip().splitlines() or [""])[0])[:_MOST_CHARACTERS]
    return f"Crashed: {type(error).__name__}{place}: {head}\nWhat was merged is kept; {advice}"


def frames_of(error: BaseException) -> list[str]:
    """Return the last places a crash came through: file, line and function, no values."""
    frames = traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]
    return [f"at {Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in frames]
