"""Frames on a pipe between a front end and its child: a length, then one value in MessagePack."""

from __future__ import annotations

import os
import struct
from typing import IO, Any, BinaryIO, TypeVar

import msgspec

from advisor.report.document import without_surrogates

T = TypeVar("T")

LENGTH = struct.Struct("<I")
"""Length in bytes of the frame that follows."""

_encoder = msgspec.msgpack.Encoder()


def write_value(pipe: IO[bytes], value: Any) -> None:
    r"""Raises BrokenPipeError where nobody reads any more. A byte of a name that is no UTF-8 is written as `\xNN`."""
    try:
        data = _encoder.encode(value)
    except UnicodeEncodeError:
        data = _encoder.encode(without_surrogates(msgspec.to_builtins(value)))
    pipe.write(LENGTH.pack(len(data)) + data)
    pipe.flush()


def read_value(pipe: IO[bytes], decoder: msgspec.msgpack.Decoder[T]) -> T | None:
    """The next value; None at the end. Raises msgspec.DecodeError."""
    head = pipe.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    data = pipe.read(length)
    return decoder.decode(data) if len(data) == length else None


def take_stdout() -> BinaryIO:
    """Stdout for frames alone: whatever prints goes to stderr from here on."""
    frames = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return frames
