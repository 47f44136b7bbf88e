import json

import pytest

from web.cli.text import count, duration, instant, safe_json, seconds_between, shown


@pytest.mark.parametrize(
    ("hostile", "safe"),
    [
        ("\x1b[2J\x1b[31mred", "\\x1b[2J\\x1b[31mred"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x07\x08\x00\x7f", "\\x07\\x08\\x00\\x7f"),
        # One character that some terminals read as ESC [.
        ("\x9b31m", "\\x9b31m"),
        ("safe\u202egnp.exe", "safe\\u202egnp.exe"),
        ("\u2066hidden\u2069\u200b", "\\u2066hidden\\u2069\\u200b"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_could_steer_a_terminal_is_shown_as_an_escape(hostile: str, safe: str) -> None:
    assert shown(hostile) == safe


@pytest.mark.parametrize("name", ["café", "表", "🛩", "a:b/c#d", "[red]not markup[/red]", "می‌خواهم"])
def test_names_of_all_languages_stay_as_they_are(name: str) -> None:
    assert shown(name) == name


def test_lines_stay_where_they_are_wanted() -> None:
    assert shown("one\n\ttwo\x1b", lines=True) == "one\n\ttwo\\x1b"


def test_json_keeps_its_value_and_holds_no_character_that_steers() -> None:
    value = {"name": "\x1b[31m\x9b\u202e\U000e0041é"}
    text = safe_json(json.dumps(value, ensure_ascii=False, indent=2))
    assert json.loads(text) == value
    assert not {"\x1b", "\x9b", "\u202e", "\U000e0041"} & set(text)
    assert "é" in text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "-"),
        (0, "0 ms"),
        (0.0426, "43 ms"),
        (0.999, "999 ms"),
        (1, "1.0 s"),
        (59.96, "59.9 s"),
        (60, "1 min"),
        (125.7, "2 min 5 s"),
        (3600, "1 h"),
        (3725, "1 h 2 min"),
        (90_000, "1 d 1 h"),
        (86_400 * 3, "3 d"),
        (-2, "-2.0 s"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


def test_instants_are_told_in_utc_to_the_second() -> None:
    assert instant("2026-01-01T02:00:03.999+02:00") == "2026-01-01 00:00:03Z"
    assert instant("2026-01-01T00:00:03") == "2026-01-01 00:00:03Z"
    assert instant(None) == "-"


def test_seconds_between_instants_of_different_zones() -> None:
    assert seconds_between("2026-01-01T00:00:00Z", "2026-01-01T02:00:01+02:00") == 1.0
    assert seconds_between(None, "2026-01-01T00:00:00Z") is None
    assert seconds_between("2026-01-01T00:00:00Z", None) is None


def test_counts_agree_with_their_noun() -> None:
    assert [count(0, "row"), count(1, "row"), count(1200, "row")] == ["0 rows", "1 row", "1,200 rows"]
