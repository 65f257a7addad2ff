"""The text format of access keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.access.tokens import AccessKey, MistypedKey

KEY = AccessKey.new()
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"


def test_key_text_round_trips() -> None:
    assert AccessKey.parse(KEY.text) == KEY
    assert len(KEY.text) == len("tm_") + 12 + 1 + 43 + 6


@given(place=st.integers(0, len(KEY.text) - 1), letter=st.sampled_from(LETTERS))
def test_one_wrong_letter_is_detected_by_the_checksum(place: int, letter: str) -> None:
    mistyped = KEY.text[:place] + letter + KEY.text[place + 1 :]
    if mistyped != KEY.text:
        with pytest.raises(MistypedKey):
            AccessKey.parse(mistyped)


@given(st.integers(0, len(KEY.text) - 1))
def test_truncated_key_is_refused(length: int) -> None:
    with pytest.raises(MistypedKey):
        AccessKey.parse(KEY.text[:length])


@pytest.mark.parametrize("text", [KEY.text + "\n", " " + KEY.text, KEY.text + "0", KEY.text.replace("tm_", "tx_")])
def test_text_around_a_key_is_refused(text: str) -> None:
    with pytest.raises(MistypedKey):
        AccessKey.parse(text)


def test_printing_a_key_does_not_show_its_secret() -> None:
    assert KEY.secret not in f"{KEY!r} {KEY}"


def test_keys_are_unique() -> None:
    keys = [AccessKey.new() for _ in range(100)]
    assert len({each.key_id for each in keys}) == len({each.secret for each in keys}) == 100
