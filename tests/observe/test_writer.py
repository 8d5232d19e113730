"""The writer of the log: nobody waits for it, what it loses is counted, its order is kept."""

from __future__ import annotations

import os
import re
import select
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.logger import LogLevel

from socketsuite.observe.destination import Destination
from socketsuite.observe.writer import MOST_CHARACTERS, MOST_LINES, Writer

SECONDS = 20.0


def notice(count: int, why: str) -> str:
    return f"lost {count}: {why}\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        os.close(descriptor)


def read(descriptor: int, wanted: str) -> str:
    text = ""
    while wanted not in text:
        text += os.read(descriptor, 1 << 20).decode()
    return text


def test_what_is_written_before_the_start_waits_for_it(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.set_blocking(reading, False)
    writer = Writer(writing, notice)
    writer.write("first\n")
    with pytest.raises(BlockingIOError):
        os.read(reading, 1)
    writer.start()
    assert writer.finish(SECONDS)[0] == 0
    assert os.read(reading, 100) == b"first\n"


def test_a_signal_while_the_thread_waits_stops_no_line(pipe: tuple[int, int]) -> None:
    """As setuid(2) sends one to every thread; the interpreter is busy until the wait is over."""
    reading, writing = pipe
    writer = Writer(writing, notice)
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    busy = b"a" * 200_000_000
    try:
        writer.start()
        for number in range(5):
            writer.write(f"line {number}\n")
            assert read(reading, f"line {number}\n")
            (thread,) = (one for one in threading.enumerate() if one.name == "log writer")
            assert thread.ident is not None
            signal.pthread_kill(thread.ident, signal.SIGUSR1)
            busy.count(b"b")  # holds the GIL
            writer.write("next\n")
            assert select.select([reading], [], [], SECONDS)[0]
            read(reading, "next\n")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert writer.finish(SECONDS)[0] == 0


def test_lines_of_several_threads_come_out_whole_and_in_the_order_of_each(
    pipe: tuple[int, int],
) -> None:
    reading, writing = pipe
    writer = Writer(writing, notice)
    writer.start()
    count = 3000

    def talk(name: str) -> None:
        for number in range(count):
            writer.write(f"{name} {number} {'ж' * 20}\n")

    threads = [threading.Thread(target=talk, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    text = b""
    while text.count(b"\n") < 3 * count:
        text += os.read(reading, 1 << 20)
    for thread in threads:
        thread.join()
    lines = text.decode().splitlines()
    for name in "abc":
        own = [line for line in lines if line.startswith(name)]
        assert own == [f"{name} {number} {'ж' * 20}" for number in range(count)]
    assert writer.finish(SECONDS)[0] == 0


@pytest.mark.parametrize("line", ["short\n", "x" * 2000 + "\n"], ids=["lines", "characters"])
def test_the_queue_is_bounded_and_every_line_is_written_or_counted(
    pipe: tuple[int, int], line: str
) -> None:
    reading, writing = pipe
    writer = Writer(writing, notice)
    writer.start()
    said = 3 * MOST_LINES
    began = time.monotonic()
    for _ in range(said):
        writer.write(line)
    assert time.monotonic() - began < SECONDS / 4
    text, counted = "", 0
    while counted < said:
        text += os.read(reading, 1 << 20).decode()
        written, lost = text.count(line), re.findall(r"lost (\d+): whoever .*\n", text)
        counted = written + sum(map(int, lost))
    assert counted == said
    assert lost
    assert writer.lost == said - written
    # In the pipe, on its way out and in the queue.
    pipe_size = 1 << 16
    assert written <= pipe_size // len(line) + 2 * MOST_LINES + 1
    assert written * len(line) <= pipe_size + 2 * (MOST_CHARACTERS + len(line))
    writer.write("and on\n")
    assert read(reading, "on\n") == "and on\n"
    assert writer.finish(SECONDS)[0] == 0


def test_an_end_that_nobody_reads_is_bounded_and_counts_what_is_left(
    pipe: tuple[int, int],
) -> None:
    reading, writing = pipe
    writer = Writer(writing, notice)
    writer.start()
    said = 20_000
    for number in range(said):
        writer.write(f"{number:05} of a line\n")
    began = time.monotonic()
    left, why = writer.finish(0.2)
    assert 0.1 < time.monotonic() - began < SECONDS / 4
    assert why == "whoever reads the log did not keep up"
    os.set_blocking(reading, False)
    there = os.read(reading, 1 << 20).decode()
    assert there.count("\n") + left == said
    # Let its thread go before the pipe is closed.
    os.set_blocking(reading, True)
    read(reading, f"{said - 1:05} of a line\n")


def test_after_a_write_that_failed_it_goes_on_with_what_was_lost(tmp_path: Path) -> None:
    log = tmp_path / "log"
    full = os.open("/dev/full", os.O_WRONLY)
    writer = Writer(full, notice)
    writer.start()
    writer.write("into the void\n")
    room = os.open(log, os.O_WRONLY | os.O_CREAT)
    deadline = time.monotonic() + SECONDS
    while writer._owed == 0:
        assert time.monotonic() < deadline
        time.sleep(0.001)  # between two looks; nothing else tells
    os.dup2(room, full)
    writer.write("here\n")
    assert writer.finish(SECONDS)[0] == 0
    assert log.read_text() == "lost 1: no space left on device\nhere\n"
    assert writer.lost == 1
    os.close(full)
    os.close(room)


def test_a_child_of_a_fork_writes_its_own_lines_and_not_its_parents(tmp_path: Path) -> None:
    log = tmp_path / "log"
    destination = Destination(str(log), "text", {})
    destination.start()
    event = {"log_time": 0.0, "log_namespace": "x", "log_level": LogLevel.info}
    destination({**event, "log_format": "before"})
    child = os.fork()
    if child == 0:
        destination({**event, "log_format": "child"})
        destination.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    destination({**event, "log_format": "parent"})
    destination.close()
    words = [line.split()[-1] for line in log.read_text().splitlines()]
    assert sorted(words) == ["before", "child", "parent"]
    assert words.index("before") < words.index("parent")


def test_what_was_dropped_still_counts_when_the_file_has_been_opened_anew(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.symlink_to("/dev/full")
    destination = Destination(str(log), "text", {})
    destination.start()
    event = {"log_time": 0.0, "log_namespace": "x", "log_level": LogLevel.info}
    destination({**event, "log_format": "into the void"})
    deadline = time.monotonic() + SECONDS
    while destination.dropped == 0:
        assert time.monotonic() < deadline
        time.sleep(0.001)  # between two looks; nothing else tells
    for number in range(3):
        log.rename(tmp_path / f"log.{number}")
        assert destination.reopen() is None
        destination({**event, "log_format": "here"})
        for writer in destination._former:
            writer.finish(SECONDS)
    assert destination.dropped == 1
    destination.close()
    assert log.read_text().endswith("x here\n")
