import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from web.cli.text import duration, safe_json, shown

TEXTS = st.text(st.characters(), max_size=50)


def steers(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or unicodedata.bidirectional(
        character
    ) in {
        "LRE",
        "RLE",
        "LRO",
        "RLO",
        "PDF",
        "LRI",
        "RLI",
        "FSI",
        "PDI",
    }


@given(TEXTS)
def test_nothing_that_is_shown_steers_a_terminal(text: str) -> None:
    assert not any(steers(character) for character in shown(text))


@given(TEXTS)
def test_nothing_but_line_breaks_and_tabs_is_left_in_lines(text: str) -> None:
    assert not any(steers(character) for character in shown(text, lines=True) if character not in "\n\t")


@given(
    st.recursive(
        TEXTS | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)
    )
)
def test_safe_json_is_the_same_value(value: object) -> None:
    text = safe_json(json.dumps(value, ensure_ascii=False, indent=2))
    assert json.loads(text) == value
    assert not any(steers(character) for character in text if character != "\n")


@given(st.floats(min_value=0, max_value=1e8), st.floats(min_value=0, max_value=1e8))
def test_a_duration_has_at_most_two_units_and_never_a_zero_part(first: float, second: float) -> None:
    for seconds in (first, second):
        words = duration(seconds).split()
        assert len(words) in {2, 4}
        assert all(float(number) > 0 for number in words[::2]) or seconds < 0.001
