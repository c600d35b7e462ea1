"""Opening a source, once: a file, a pipe, a descriptor or standard input, plain, packed, or in another encoding.

Whatever can be read only once is read once: the head that tells the kind is given back to the stream.
"""

import errno
import gzip
import lzma
import os
import re
import select
import stat
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from millrace.errors import BadInputError, NotFoundError
from millrace.records import sniff
from millrace.records.lines import Source, escape, unreadable_error
from millrace.records.streams import (
    PrefixedStream,
    RecodedStream,
    UnpackedStream,
    buffer,
    make_bz2_decompressor,
    make_xz_decompressor,
)

WRITER_TIMEOUT_S = 10.0  # how long a named pipe may stand without anybody who writes into it
WRITER_POLL_MS = 100
STANDARD_INPUT = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,9})").fullmatch


@contextmanager
def open_source(path: str) -> Iterator[Source]:
    """Open what `path` names; `-` and /dev/stdin are standard input.

    gz, bz2, xz, UTF-16 and UTF-32 are read as what they hold. Raises NotFoundError for what can't be opened,
    BadInputError for a directory, a device, a named pipe that nobody writes into, and files of another kind.
    """
    name = _display_name(path)
    with ExitStack() as stack:
        stored, head = _open_standard_input() if path in STANDARD_INPUT else _open(path, escape(path))
        if path not in STANDARD_INPUT:
            stack.enter_context(stored)
        descriptor, status = _stat_regular(stored)
        start = stored.tell() if descriptor is not None else 0
        form = ""
        try:
            head = _read_head(stored, head)
            form = sniff.detect_packing(head) or ""
            plain: BinaryIO = buffer(PrefixedStream(head, stored))
            if form:
                plain = _unpack(form, plain)
                head = _read_head(plain)
                if sniff.detect_packing(head):
                    cure = f"`{_UNPACKING[form]} {{file}} > NEW.{sniff.detect_packing(head)}` takes the outer one off"
                    raise sniff.format_error(name, f"is packed twice, {sniff.detect_packing(head)} in {form}", cure)
                plain = buffer(PrefixedStream(head, plain))
            sniff.refuse_other_kinds(name, head)
            if encoding := sniff.detect_encoding(head):
                form = form or f"{encoding.upper()} text"
                plain = buffer(RecodedStream(plain, encoding))
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise unreadable_error(escape(path), error, f"{form} file" if form else "") from None
        size = status.st_size if status else None
        yield Source(name, stored, plain, size, f"{form} file".strip(), descriptor, start)


_UNPACKING = {"gz": "gzip -dc", "bz2": "bzip2 -dc", "xz": "xz -dc"}


def _unpack(form: str, packed: BinaryIO) -> BinaryIO:
    if form == "gz":
        return gzip.GzipFile(fileobj=packed)  # pyright: ignore[reportReturnType] - it is a BinaryIO in all but name
    return buffer(UnpackedStream(packed, make_bz2_decompressor if form == "bz2" else make_xz_decompressor))


def _display_name(path: str) -> str:
    """How messages and rejected rows call the source: a file's name, and the whole of what is no file's."""
    if path in STANDARD_INPUT:
        return "-"
    return escape(path if DESCRIPTOR(path) else Path(path).name)


def _read_head(stream: BinaryIO, head: bytes = b"") -> bytes:
    head += stream.read(max(0, sniff.HEAD_BYTES - len(head)))
    return head + stream.read(sniff.ZIP_HEAD_BYTES - len(head)) if sniff.is_zip(head) else head


def _open_standard_input() -> tuple[BinaryIO, bytes]:
    # Python leaves it None where it is closed.
    if sys.stdin is None:
        raise NotFoundError("- can't be read: standard input is closed.", code="no_such_file", field="file")
    stored = sys.stdin.buffer
    with suppress(OSError):  # what stands in for it may have no descriptor
        descriptor = stored.fileno()
        _check_kind(os.fstat(descriptor).st_mode, "-", terminal=os.isatty(descriptor))
        # Whoever started this may have left it non-blocking: what is not there yet would look like the end.
        os.set_blocking(descriptor, True)
    return stored, b""


def _open(path: str, shown: str) -> tuple[BinaryIO, bytes]:
    """The file, opened once, and what had to be read of it for that."""
    try:
        if inherited := DESCRIPTOR(path):
            descriptor = os.dup(int(inherited[1]))
        else:
            # Non-blocking, since opening a named pipe waits for its writer for ever.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENXIO:
            sentence = f"{shown} can't be read: it is a socket; allowed: a file, a pipe, or - for standard input."
            raise NotFoundError(sentence, code="no_such_file", field="file") from None
        raise unreadable_error(shown, error) from None
    try:
        mode = os.fstat(descriptor).st_mode
        _check_kind(mode, shown)
        head = _await_writer(descriptor, shown) if stat.S_ISFIFO(mode) and not DESCRIPTOR(path) else b""
        os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "rb"), head
    except BaseException:
        os.close(descriptor)
        raise


def _check_kind(mode: int, shown: str, terminal: bool = False) -> None:
    """Raises NotFoundError for a directory, and for a device: it has no rows, or has no end."""
    reason = "Is a directory" if stat.S_ISDIR(mode) else ""
    if (stat.S_ISCHR(mode) and not terminal) or stat.S_ISBLK(mode):
        reason = "it is a device; allowed: a file, a pipe, or - for standard input"
    if reason:
        raise NotFoundError(f"{shown} can't be read: {reason}.", code="no_such_file", field="file")


def _await_writer(descriptor: int, shown: str) -> bytes:
    """The first bytes of a named pipe, or none where its writer has opened it and not written yet.

    Raises BadInputError when nobody has opened it for writing within WRITER_TIMEOUT_S.
    """
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    deadline = time.monotonic() + WRITER_TIMEOUT_S
    while True:
        try:
            if head := os.read(descriptor, sniff.HEAD_BYTES):
                return head
        except BlockingIOError:
            return b""
        events = poller.poll(WRITER_POLL_MS)
        if events and not events[0][1] & select.POLLIN:
            return b""  # its writer has come and gone
        if time.monotonic() > deadline:
            raise BadInputError(
                f"{shown} is a named pipe that nobody has written into for {WRITER_TIMEOUT_S:g} s. Start the program "
                "that writes into it first, or pipe its output into this command with - as the file.",
                code="no_writer",
                field="file",
            )


def _stat_regular(stored: BinaryIO) -> tuple[int | None, os.stat_result | None]:
    """Descriptor and status of a regular file; None and None for all else."""
    try:
        status = os.fstat(stored.fileno())
    except OSError:
        return None, None
    return (stored.fileno(), status) if stat.S_ISREG(status.st_mode) else (None, None)
