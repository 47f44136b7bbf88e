"""The output of attempts: read from the folders that this host has, or the last answer of the engine that has them."""

from dataclasses import dataclass

from catalog.errors import InvalidInput
from hooks.launchers.command.attempt_folder import AttemptFolder
from hooks.launchers.command.output import read_output
from hooks.launchers.port import Output
from web.graphql.loaders.pipeline_runs import attempts, engine_answers
from web.graphql.records import PipelineRunRecord

#: Bytes of output that are told where nobody asks for another number, and the most that anybody gets.
MAX_BYTES = 64 * 1024
MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LogsRecord:
    """What an attempt wrote, or why that is not known here."""

    attempt: int
    available: bool
    reason: str | None
    text: str
    dropped_bytes: int


def read_logs(run: PipelineRunRecord, attempt: int | None, max_bytes: int) -> LogsRecord:
    """Return at most so many bytes of what the attempt wrote; raise `InvalidInput` for bounds that make no sense."""
    if not 0 <= max_bytes <= MOST_BYTES:
        raise InvalidInput(f"expected `maxBytes` to be from 0 to {MOST_BYTES}, found {max_bytes}")
    number = run.attempt if attempt is None else attempt
    if not 0 <= number <= run.attempt:
        raise InvalidInput(f"expected an attempt from 1 to {run.attempt}, found {number}")
    if number == 0:
        return LogsRecord(0, False, "no attempt was made yet", "", 0)
    told = run.cohort.ask(engine_answers).get(run.row_id, {}).get(number)
    if told is not None:
        return _of_engine(number, told, max_bytes)
    folder = AttemptFolder.of(run.cohort.request.runs_dir, run.row_id, number).path
    if not folder.is_dir():
        return LogsRecord(number, False, _elsewhere(run, number), "", 0)
    text, dropped = _shortened(read_output(folder), max_bytes)
    return LogsRecord(number, True, None, text, dropped)


def _of_engine(number: int, told: str, max_bytes: int) -> LogsRecord:
    """Return the engine's last answer: whatever else the attempt wrote, the engine has."""
    if not told:
        return LogsRecord(number, False, "the engine has not answered yet", "", 0)
    text, dropped = _shortened(Output(f"{told}\n".encode(), b"", 0), max_bytes)
    return LogsRecord(number, True, None, text, dropped)


def _elsewhere(run: PipelineRunRecord, number: int) -> str:
    known = next(
        (made for made in run.cohort.ask(attempts).get(run.row_id, ()) if made.number == number), None
    )
    if known is None or known.host_id is None:
        return "no host has claimed the attempt"
    host = known.host_name or known.host_id
    return f"the attempt belongs to host {host}, and this host has no folder of it: ask there, or it was cleaned up"


def _shortened(output: Output, max_bytes: int) -> tuple[str, int]:
    """Return the text of the first and the last bytes, and how many are missing between."""
    head, tail, dropped = output.head, output.tail, output.dropped
    if dropped == 0:
        head, tail = head + tail, b""
    excess = len(head) + len(tail) - max_bytes
    if excess > 0:
        whole = head + tail
        first = max_bytes // 2
        last = max_bytes - first
        head, tail = whole[:first], whole[len(whole) - last :]
        dropped += excess
    text = head.decode("utf-8", "replace")
    if dropped:
        text += f"\n[… {dropped} bytes are missing here …]\n"
    return text + tail.decode("utf-8", "replace"), dropped
