"""Oddities of single messages."""

import enum


class Quirk(enum.Flag):
    """How the API can return a message in another shape. `rest_api/render_message.py` says how each is known."""

    NONE = 0
    INT_AS_STRING = enum.auto()
    SECONDS = enum.auto()
    NO_TIMESTAMPS = enum.auto()
    NULL_LEGACY_ID = enum.auto()
    DEPRECATED_RESULT = enum.auto()
    ATTACHMENTS_NULL = enum.auto()
    ATTACHMENTS_MISSING = enum.auto()
    ATTACHMENTS_EMPTY = enum.auto()
    UNKNOWN_ATTACHMENT = enum.auto()
    NO_TEXT_PURPOSE = enum.auto()
    USER_ZERO = enum.auto()
    USER_NULL = enum.auto()
    THOUGHTS = enum.auto()
