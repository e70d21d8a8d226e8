"""A secret shows itself only when asked."""

import copy
import dataclasses
import json
import logging
import pickle

import pytest

from genie_obs.secret import Credentials, Secret

VALUE = "not-a-real-value"


def test_text_forms_are_masked() -> None:
    secret = Secret(VALUE)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>40}", "%s %r" % (secret, secret), repr([secret])]  # noqa: UP031
    assert not any(VALUE in text for text in shown)
    assert "***" in repr(secret)


def test_reveal_returns_the_value() -> None:
    assert Secret(VALUE).reveal() == VALUE


def test_credentials_mask_the_secret_and_asdict_keeps_it_masked() -> None:
    credentials = Credentials(client_id="app", client_secret=Secret(VALUE))
    assert VALUE not in repr(credentials)
    assert VALUE not in repr(dataclasses.asdict(credentials))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_is_refused(protocol: int) -> None:
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(Secret(VALUE), protocol)


def test_json_is_refused() -> None:
    with pytest.raises(TypeError):
        json.dumps({"secret": Secret(VALUE)})


def test_copies_are_the_same_object() -> None:
    secret = Secret(VALUE)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_equality_compares_values_of_secrets_only() -> None:
    assert Secret(VALUE) == Secret(VALUE)
    assert Secret(VALUE) != Secret("other")
    assert Secret(VALUE) != VALUE
    assert hash(Secret(VALUE)) == hash(Secret(VALUE))


def test_empty_secret_is_false() -> None:
    assert not Secret("")
    assert Secret(VALUE)


def test_logging_masks(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logging.getLogger("test").info("credentials %s", Credentials(client_id="app", client_secret=Secret(VALUE)))
    assert VALUE not in caplog.text
