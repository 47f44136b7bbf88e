"""`python -m tests.support.readme_example`: asks what the README asks, and writes the real answer there.

The pipeline is the README's own, the events are fixed, and the question leaves out what the clock decides.
"""

import asyncio
import json
import re
import tempfile
import uuid
from pathlib import Path
from typing import Any

import yaml

from catalog.database import create_database_engine
from catalog.migrations import migrate
from tests.services.postgresql import embedded_cluster
from tests.support.graphql import asking, completed, heard
from tests.support.spine import apply_fact

README = Path(__file__).parents[2] / "README.md"
PLACE = re.compile(r"(?<=<!-- example: begin -->\n).*?(?=<!-- example: end -->)", re.DOTALL)
PIPELINE = re.compile(r"^```yaml\n(.*?)^```$", re.DOTALL | re.MULTILINE)

LANDED = uuid.UUID("2f6d1b0e-5c1a-4f3b-9a57-6e0c8d1f4b21")
BUILT = uuid.UUID("7b8e4a90-1d2c-4c6f-8f0e-3a5b9c7d6e14")
NAMESPACE = "duckdb://flights"
#: Wide lists of scalars stand on one line, as people write them.
SHORT_LIST = re.compile(r"\[\s+([^\[\]{}]*?)\s+\]")

QUERY = """{
  pipeline(name: "daily_delays") {
    latestRun { number causes { complete nodes { kind text } } }
    condition { satisfied waitingFor }
  }
  lineage(nodeId: "dataset:duckdb://flights:raw.flights", direction: DOWNSTREAM) {
    nodeIds
    completeness { complete reason frontier }
    position
  }
}"""


def pipeline_document(readme: str) -> dict[str, Any]:
    """Return the one pipeline document that stands in the README."""
    (text,) = PIPELINE.findall(readme)
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def example(database_url: str, data_dir: Path, readme: str) -> str:
    """Return the question with its answer as Markdown; the database is a new one."""
    names = {"namespace": NAMESPACE}
    heard(
        database_url,
        [
            apply_fact(pipeline_document(readme)),
            *completed("land_flights", outputs=["raw.flights"], run=LANDED, **names),
            *completed(
                "model.daily_delays",
                inputs=["raw.flights"],
                outputs=["marts.daily_delays"],
                run=BUILT,
                **names,
            ),
        ],
    )

    async def told() -> Any:
        async with asking(database_url, data_dir) as found:
            return await found.data(QUERY)

    answer = json.dumps(asyncio.run(told()), indent=2, ensure_ascii=False)
    answer = SHORT_LIST.sub(lambda found: f"[{' '.join(found[1].split())}]", answer)
    return f"```graphql\n{QUERY}\n```\n\n```json\n{answer}\n```\n"


def main() -> None:
    """Write the example into the README."""
    readme = README.read_text("utf-8")
    with embedded_cluster() as url, tempfile.TemporaryDirectory() as folder:
        engine = create_database_engine(url, pool_size=1, application_name="headwater-example")
        migrate(engine)
        engine.dispose()
        made = example(url, Path(folder), readme)
    README.write_text(PLACE.sub(lambda _: made, readme), "utf-8")


if __name__ == "__main__":
    main()
