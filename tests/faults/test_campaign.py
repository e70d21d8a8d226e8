"""The command line of the campaign."""

from __future__ import annotations

import pytest
from tests.faults.campaign import parse_options


@pytest.mark.parametrize("arguments", [["--per-seed", "1", "--histories", "5"], ["--histories", "1"]], ids=" ".join)
def test_campaign_in_which_nothing_can_go_wrong_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_options(arguments)

    assert ended.value.code == 2
    assert "nothing goes wrong" in capsys.readouterr().err


def test_two_histories_of_a_seed_are_enough_to_begin_with() -> None:
    assert parse_options(["--histories", "4", "--per-seed", "2"]).per_seed == 2
