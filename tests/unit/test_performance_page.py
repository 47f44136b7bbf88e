"""`docs/performance.md` is made from the stored results, and the floors hold in them."""

import json

from benchmarks.report import PAGE, RESULTS, TARGETS, performance_page


def test_the_page_equals_what_the_results_make() -> None:
    results = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(RESULTS.glob("*.json"))}
    assert {target.benchmark for target in TARGETS} <= results.keys()
    assert PAGE.read_text("utf-8") == performance_page(results, (RESULTS / "bounds.md").read_text("utf-8"))


def test_no_figure_is_below_its_floor() -> None:
    assert "below the floor" not in PAGE.read_text("utf-8")
