"""Everything any client sends is appended to one file."""

import contextlib
import errno
import os
import socket
import stat
from pathlib import Path

import pytest
from twisted.logger import capturedLogs

from socketsuite.services.filesink import FileSinkFactory
from socketsuite.settings import SettingsError
from tests.services.streams import FakeStream


@contextlib.contextmanager
def listening(path):
    factory = FileSinkFactory(file=path)
    factory.doStart()
    yield factory
    factory.doStop()


def client(factory):
    return FakeStream(factory.buildProtocol(None))


def open_descriptors(path):
    links = Path("/proc/self/fd")
    return [fd for fd in links.iterdir() if fd.is_symlink() and os.path.realpath(fd) == str(path)]


def test_the_first_clients_end_closes_nothing_for_the_rest(tmp_path):
    path = tmp_path / "sink"
    path.write_bytes(b"before ")
    with listening(path) as factory:
        first, second = client(factory), client(factory)
        first.protocol.dataReceived(b"one ")
        second.protocol.dataReceived(b"two ")
        first.gone()
        second.protocol.dataReceived(b"three ")
        second.gone()
        third = client(factory)
        third.protocol.dataReceived(b"four")
        third.gone()
    assert path.read_bytes() == b"before one two three four"


def test_a_new_file_is_readable_by_its_group_only(tmp_path):
    umask = os.umask(0)
    try:
        with listening(tmp_path / "new"):
            mode = (tmp_path / "new").stat().st_mode
    finally:
        os.umask(umask)
    assert stat.S_IMODE(mode) == 0o640


def test_while_draining_the_file_stays_open_until_the_last_client_has_gone(tmp_path):
    path = tmp_path / "sink"
    with listening(path) as factory:
        stream = client(factory)
    stream.protocol.dataReceived(b"late")
    assert path.read_bytes() == b"late"
    assert len(open_descriptors(path)) == 1
    stream.gone()
    assert open_descriptors(path) == []


def test_listening_again_while_an_old_client_drains_appends_to_the_same_file(tmp_path):
    path = tmp_path / "sink"
    with listening(path) as factory:
        old = client(factory)
    factory.doStart()
    old.protocol.dataReceived(b"old ")
    old.gone()
    client(factory).protocol.dataReceived(b"new")
    assert path.read_bytes() == b"old new"
    assert len(open_descriptors(path)) == 1


def test_a_short_write_is_gone_on_with(tmp_path, monkeypatch):
    path = tmp_path / "sink"
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
    with listening(path) as factory:
        client(factory).protocol.dataReceived(b"0123456789")
    assert path.read_bytes() == b"0123456789"


def test_a_full_disk_resets_the_client_and_is_logged_once():
    with listening(Path("/dev/full")) as factory, capturedLogs() as events:
        for _ in range(3):
            stream = client(factory)
            stream.protocol.dataReceived(b"x")
            stream.protocol.dataReceived(b"x")
            assert stream.disconnected
            stream.gone()
    (event,) = events
    assert (event["file"], event["why"]) == ("/dev/full", os.strerror(errno.ENOSPC))


def test_after_trouble_later_clients_are_served_and_it_is_said(tmp_path, monkeypatch):
    path = tmp_path / "sink"
    with listening(path) as factory, capturedLogs() as events:
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", no_space)
            victim = client(factory)
            victim.protocol.dataReceived(b"lost")
        later = client(factory)
        later.protocol.dataReceived(b"kept")
    assert victim.disconnected
    assert not later.disconnected
    assert path.read_bytes() == b"kept"
    assert [event["log_level"].name for event in events] == ["error", "info"]


def no_space(descriptor, data):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fifo(folder):
    os.mkfifo(folder / "fifo")
    return folder / "fifo"


def fifo_with_a_reader(folder):
    path = fifo(folder)
    os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    return path


def unix_socket(folder):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
    return folder / "socket"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder, "it is a folder"),
        (lambda folder: folder / "missing" / "file", "create it"),
        (fifo, "it is a pipe or a socket"),
        (fifo_with_a_reader, "it is a pipe or a socket"),
        (unix_socket, "it is a pipe or a socket"),
    ],
)
def test_what_cannot_be_appended_to_is_refused_by_name(tmp_path, make, words):
    path = make(tmp_path)
    with pytest.raises(SettingsError) as caught:
        FileSinkFactory(file=path).startFactory()
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_file_without_permission_is_refused_by_name(tmp_path):
    path = tmp_path / "sealed"
    path.touch(0o400)
    with pytest.raises(SettingsError, match="permission denied"):
        FileSinkFactory(file=path).startFactory()
