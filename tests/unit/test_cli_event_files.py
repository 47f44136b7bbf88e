from pathlib import Path

import pytest

from catalog.errors import InvalidJson
from web.cli.event_files import BATCH_BYTES, BATCH_EVENTS, FoundEvent, batches, read_source, split_events


def texts(text: str) -> list[str]:
    return [event.text for event in split_events(text, "file")]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}\n{"b": 2}\n',
        '{"a": 1}{"b": 2}',
        '\n\n{"a": 1}\r\n\r\n{"b": 2}',
        '[{"a": 1}, {"b": 2}]',
        '[\n{"a": 1}\n,{"b": 2}\n]\n',
        '[{"a": 1}]\n[{"b": 2}]',
        '[]{"a": 1}[{"b": 2}]',
    ],
)
def test_one_an_array_or_one_after_another(text: str) -> None:
    assert texts(text) == ['{"a": 1}', '{"b": 2}']


def test_an_event_is_kept_byte_for_byte() -> None:
    # Numbers beyond 64 bits and the spelling of a float are the producer's.
    event = '{"n": 123456789012345678901234567890, "f": 1.10,  "e": "\\u00e9"}'
    assert texts(f"[{event}]") == [event]


def test_lines_are_counted_from_one() -> None:
    found = split_events('[\n{"a":\n1},\n\n{"b": 2}]', "file")
    assert [event.line for event in found] == [2, 5]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("\n \n", 3),
        ('{"a": 1}\n{"b": oops}', 2),
        ('[{"a": 1}\n{"b": 2}]', 2),
        ('[{"a": 1},', 1),
        ('{"a": 1},', 1),
        ("[" * 100_000, 1),
        ('{"n": ' + "9" * 5000 + "}", 1),
    ],
)
def test_a_fault_is_told_with_file_and_line(text: str, line: int) -> None:
    with pytest.raises(InvalidJson, match=rf"events\.json:{line}: "):
        split_events(text, "events.json")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidJson, match=r"nowhere\.json: expected a file that can be read"):
        read_source(str(tmp_path / "nowhere.json"))
    (tmp_path / "latin.json").write_bytes(b'{"a": "\xe9"}')
    with pytest.raises(InvalidJson, match=r"latin\.json: expected JSON in UTF-8"):
        read_source(str(tmp_path / "latin.json"))


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "bom.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert texts(read_source(str(tmp_path / "bom.json"))) == ['{"a": 1}']


def test_batches_are_bounded_by_events_and_by_bytes_and_lose_nothing() -> None:
    small = [FoundEvent("{}", line) for line in range(BATCH_EVENTS * 2 + 1)]
    assert [len(batch) for batch in batches(small)] == [BATCH_EVENTS, BATCH_EVENTS, 1]
    large = [FoundEvent("x" * (BATCH_BYTES - 10), 1), FoundEvent("y" * 20, 2), FoundEvent("z", 3)]
    assert [[event.line for event in batch] for batch in batches(large)] == [[1], [2, 3]]
    assert list(batches([])) == []
