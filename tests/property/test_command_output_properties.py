"""Whatever is written, and in whatever pieces: the first and the last half are kept, the rest is counted."""

import os
import tempfile
import threading
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from hooks.launchers.command.collector import fill_head, fill_ring
from hooks.launchers.command.output import read_output
from hooks.launchers.port import Output


def write_all(descriptor: int, pieces: list[bytes]) -> None:
    for piece in pieces:
        os.write(descriptor, piece)
    os.close(descriptor)


@settings(deadline=None)
@given(
    pieces=st.lists(st.binary(min_size=1, max_size=40), max_size=30),
    begun=st.binary(max_size=20),
    half=st.integers(min_value=1, max_value=64),
)
def test_the_first_and_the_last_half_are_kept(pieces: list[bytes], begun: bytes, half: int) -> None:
    begun = begun[:half]
    with tempfile.TemporaryDirectory() as folder:
        # The shim's own first stage may have begun the head.
        (Path(folder) / "head").write_bytes(begun)
        reading, writing = os.pipe()
        writer = threading.Thread(target=write_all, args=(writing, pieces))
        writer.start()
        fill_head(reading, folder, half)
        fill_ring(reading, folder, half)
        writer.join()
        os.close(reading)
        kept = read_output(Path(folder))
        sizes = [path.stat().st_size for path in Path(folder).iterdir()]

    whole = begun + b"".join(pieces)
    rest = whole[half:]
    assert kept == Output(whole[:half], rest[-half:], max(len(rest) - half, 0))
    assert sum(sizes) <= 2 * half + 16
