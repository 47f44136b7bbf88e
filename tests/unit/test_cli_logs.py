import pytest

from web.cli.logs_of_runs import OVERLAP, complete_characters, new_part

GAP = "\n[… 100 bytes are missing here …]\n"


@pytest.mark.parametrize(
    ("printed", "text", "expected"),
    [
        ("", "", ""),
        ("", "one\n", "one\n"),
        ("one\n", "one\n", ""),
        ("one\n", "one\ntwo\n", "two\n"),
    ],
)
def test_only_what_is_new_is_printed(printed: str, text: str, expected: str) -> None:
    assert new_part(printed, text) == expected


def test_where_the_middle_was_dropped_the_end_tells_what_was_printed_last() -> None:
    known = "x" * OVERLAP + "one thousand"
    assert new_part(f"head {known}", f"head {GAP}{known} and one") == " and one"


def test_where_nothing_of_the_end_is_known_the_gap_is_shown() -> None:
    assert new_part("head and more", f"head{GAP}much later") == f"{GAP}much later"


def test_a_character_of_which_a_part_was_written_waits() -> None:
    assert complete_characters("caf\ufffd") == "caf"
    assert complete_characters("café") == "café"
