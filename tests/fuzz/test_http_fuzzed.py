"""What `/openapi.json` describes, asked by schemathesis: what is promised is kept, and nothing else is taken.

What it costs on two free processors: about 2 s to import schemathesis and read the description, 10 s for the 1,650
requests that try the bounds of every parameter and member one by one, and 0.2 s for every further example of all 36
operations; its plugin for pytest, which would add 1 s to the start of each process of the suite, is off.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fuzzing import ROOT, SEED, TIMES, Fuzzed, fuzzed, seeded
from tests.support.hostile import HOSTILE

SECONDS = 240 * TIMES
#: Names that a line of TOML can hold; the others are sent by test_hostile_names.py.
WORDS = ", ".join(
    json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f") for name in HOSTILE.values()
)

CONFIGURATION = f"""
hooks = "{Path(__file__).with_name("schemathesis_hooks.py")}"
continue-on-failure = true
color = false
request-timeout = 30.0
warnings = false

[cache]
enabled = false

[output.sanitization]
enabled = false

[generation]
# Every text with a NUL is refused, and not every description can say so.
allow-x00 = false
database = "none"
dictionaries = {{ string = {{ dictionary = "hostile", probability = 0.5 }} }}

[dictionaries.hostile]
values = [{WORDS}]

[phases.examples]
enabled = false

[phases.coverage]
# A write that says not that it is JSON is refused before anybody looks at its path.
unexpected-methods = ["GET", "OPTIONS", "TRACE", "DELETE"]

[[operations]]
# Whether a text is a query of the schema, no description can say.
include-path = "/graphql"
include-method = "POST"
checks.positive_data_acceptance.enabled = false

[[operations]]
# A time must lie in the future.
include-path = "/api/v1/tokens"
checks.positive_data_acceptance.enabled = false
"""

#: What the short form leaves out: bounds of parameters that other operations have too, and sequences of requests.
LITTLE = """
[phases.stateful]
enabled = false

[[operations]]
include-path-regex = "^/api/v1/(namespaces|sources|jobs|tags|stats)"
phases.coverage.enabled = false
"""


def schemathesis(fuzzed: Fuzzed, folder: Path) -> str:
    """Run it against the server as its administrator and return what it says; it must have found nothing."""
    (folder / "schemathesis.toml").write_text(CONFIGURATION + (LITTLE if TIMES == 1 else ""))
    command = [sys.executable, "-W", "error", "-m", "schemathesis.cli"]
    command += ["--config-file", str(folder / "schemathesis.toml"), "run", f"{fuzzed.url}/openapi.json"]
    command += ["--seed", str(SEED), "--max-examples", str(3 * TIMES)]
    command += ["--header", f"Authorization: Bearer {fuzzed.local_token}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
    return done.stdout


@pytest.mark.timeout(SECONDS + 60)
def test_the_interface_is_as_it_is_described(database_url: str, tmp_path: Path) -> None:
    with fuzzed(database_url, tmp_path) as found:
        seeded(found)
        said = schemathesis(found, tmp_path)
        print(said[said.index("SUMMARY") :])
