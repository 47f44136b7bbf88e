"""Keeps the end of a long output; a program of its own that the shim runs with the pipe as standard input.

The first `HALF` bytes go to the file `head`, which another process may have begun. What follows goes round
in the file `tail`: a header of two unsigned 64-bit numbers, big-endian (capacity of the ring and bytes that
ever went into it), then the ring. Both files can be read at any time, and never grow beyond their bounds.
It imports as little as it can: it starts while the command waits on a full pipe.
"""

import os
import struct
import sys

HEADER = struct.Struct(">QQ")
_CHUNK = 1 << 20


def fill_head(source: int, folder: str, half: int) -> None:
    """Append what the pipe gives to `head` until that holds `half` bytes or the output ends."""
    head = os.open(f"{folder}/head", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    room = half - os.fstat(head).st_size
    while room > 0 and (chunk := os.read(source, room)):
        room -= len(chunk)
        _write_at_end(head, chunk)
    os.close(head)


def fill_ring(source: int, folder: str, capacity: int) -> None:
    """Keep the last `capacity` bytes of the rest in `tail`; the header follows the bytes that it counts."""
    chunk = os.read(source, _CHUNK)
    if not chunk:
        return
    ring = os.open(f"{folder}/tail", os.O_RDWR | os.O_CREAT, 0o600)
    count = 0
    while chunk:
        kept = chunk[-capacity:]
        position = (count + len(chunk) - len(kept)) % capacity
        before_end = kept[: capacity - position]
        _write_at(ring, before_end, HEADER.size + position)
        _write_at(ring, kept[len(before_end) :], HEADER.size)
        count += len(chunk)
        _write_at(ring, HEADER.pack(capacity, count), 0)
        chunk = os.read(source, _CHUNK)
    os.close(ring)


def _write_at_end(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _write_at(descriptor: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


if __name__ == "__main__":
    _folder, _half = sys.argv[1], int(sys.argv[2])
    fill_head(0, _folder, _half)
    fill_ring(0, _folder, _half)
