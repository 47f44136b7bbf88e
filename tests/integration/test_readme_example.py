"""The question in the README has the answer that stands there."""

from pathlib import Path

from tests.support.readme_example import PLACE, README, example


def test_the_answer_in_the_readme_is_the_real_one(database_url: str, tmp_path: Path) -> None:
    readme = README.read_text("utf-8")
    (shown,) = PLACE.findall(readme)
    hint = "run `python -m tests.support.readme_example`"
    assert shown == example(database_url, tmp_path, readme), hint
