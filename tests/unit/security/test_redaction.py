from __future__ import annotations

import json
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from genie_obs.security.redaction import Redactor

REDACTOR = Redactor(("US", "DE"))
HEX = "0123456789abcdef"
# Put together here so that no scanner takes this file for a leak.
KEYS = {
    "databricks": "dapi" + 2 * HEX,
    "aws": "AKIA" + "IOSFODNN7EXAMPLE",
    "github": "ghp_" + 36 * "a",
    "slack": "xoxb-" + "1234567890-abcdefghij",
    "stripe": "sk_live_" + 24 * "4",
    "jwt": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxIn0" + ".abc_-9",
    "azure": "AccountKey=" + 86 * "A" + "==",
    "pem": "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
    "bearer": "Bearer " + 20 * "z",
}


@pytest.mark.parametrize("text", KEYS.values(), ids=KEYS)
def test_keys_of_known_shapes_are_masked(text: str) -> None:
    assert REDACTOR.mask(f"use {text} now") == "use [key] now"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("ask ana.maria+x@sales.example.co.uk now", "ask [email] now"),
        ("WHERE email = 'bob@example.com'", "WHERE email = '[email]'"),
        ("jürgen@müller.example", "[email]"),
        ("call +49 170 1234567 or (415) 555-2671", "call [phone] or [phone]"),
        ("0170 1234567, 030/901820", "[phone], [phone]"),
        ("card 4111 1111 1111 1111 123", "card [card] 123"),
        ("4111111111111111,5500-0000-0000-0004", "[card],[card]"),
        ("DE89 3704 0044 0532 0130 00 AND gb82west12345698765432", "[iban] AND [iban]"),
        ("password: hunter2x", "password: [key]"),
        ("api_key = 'abcd1234'", "api_key = '[key]'"),
        ("postgres://bob:s3cret@db.example.com/x", "postgres://[key]@db.example.com/x"),
    ],
)
def test_what_identifies_a_person_or_opens_a_door_is_masked(text: str, masked: str) -> None:
    assert REDACTOR.mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "SELECT SUM(amount) FROM main.sales.orders WHERE order_id = 4111111111111112 AND amount > 12345678.90",
        "space 01f105f722d911f6a1b2c3d4e5f60718, statement 01f105f7-22d9-11f6-a1b2-c3d4e5f60718",
        "created_timestamp BETWEEN 1762000000000 AND 1762999999999",
        "day >= DATE '2026-11-20' AND ts > '2026-11-20 12:33:44' AND ip = '10.0.0.255' AND n = 1,234,567.00",
        "ON token = t.token_id AND password_hash = p.password_hash AND email LIKE '%@example.com'",
        "SELECT 4155552671 AS id, 100 200 300 400, 2026 11 20 1234",
        "DE88 3704 0044 0532 0130 00 has a wrong checksum",
    ],
)
def test_ids_dates_and_sql_survive(text: str) -> None:
    assert REDACTOR.mask(text) == text


def test_json_is_masked_inside_its_strings_and_names() -> None:
    value = {"query": "x = 'bob@example.com'", "n": [1, 2.5, None, True, "bob@example.com"], "bob@example.com": 1}

    assert REDACTOR.mask_json(value) == {"query": "x = '[email]'", "n": [1, 2.5, None, True, "[email]"], "[email]": 1}


SECRETS = st.sampled_from(
    ["bob@example.com", "+49 170 1234567", "4111 1111 1111 1111", "DE89370400440532013000", *KEYS.values()]
)
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="@"), max_size=40)


@settings(deadline=None)
@given(before=WORDS, secret=SECRETS, after=WORDS)
@example(before="", secret="bob@example.com", after="'")
@example(before="+", secret="+49 170 1234567", after="")
def test_secret_is_found_between_any_words(before: str, secret: str, after: str) -> None:
    assert secret not in REDACTOR.mask(f"{before} {secret} {after}")


@settings(deadline=None)
@given(st.text() | st.text("0123456789 +-()./@:=eyJ'\"aDE\n"))
def test_any_text_can_be_masked_and_does_not_swell(text: str) -> None:
    masked = REDACTOR.mask(text)

    json.dumps(masked)
    assert len(masked) <= 8 * len(text) + 8


HOSTILE = [
    "1", "1 ", "+1 ", "0170 1234567 ", "a@", "a.b@c.", "(", "12-34-", "eyJ", "eyJa.", "key = '", "token: a1", "DE89 ", "a",
    "-----BEGIN PRIVATE KEY-----", "://a:", " ", "Bearer ", "AccountKey=", "sk-", "4111 ", "é@é.", "secret is ",
]  # fmt: skip


def seconds_to_mask(piece: str, size: int) -> float:
    # With what opens the way to every pattern at its end.
    text = piece * (size // len(piece)) + " @ :// +1 2"
    started = time.process_time()
    masked = REDACTOR.mask(text)
    assert len(masked) <= 8 * len(text)
    return time.process_time() - started


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", HOSTILE)
def test_no_text_holds_the_job_up(piece: str) -> None:
    """Four times as much text takes four times as long; a pattern that goes back over it for each character takes sixteen times."""
    short, long = seconds_to_mask(piece, 8_000), seconds_to_mask(piece, 32_000)

    assert long < 8 * max(short, 0.02)
