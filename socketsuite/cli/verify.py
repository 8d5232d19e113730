"""``socketsuite verify``: tells whether a file still holds what was acknowledged.

This module must not know how that is found out.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from socketsuite.cli.options import epilog, json_option, pass_output
from socketsuite.cli.output import Output
from socketsuite.transport.dial.failed import Failed, os_cause

if TYPE_CHECKING:
    from socketsuite.cli.verifying.index import ReceiptIndex
    from socketsuite.storage.reading import StoredStreams

_PATH = click.Path(path_type=Path)


@click.command(
    epilog=epilog(
        [
            "socketsuite verify /var/lib/socketsuite/backup.tar sent.receipts",
            "socketsuite verify --stream logs/today --key sink.pub /srv/sink sent.receipts",
        ],
        "something differs, is missing, or is not proven",
        "FILE holds everything that was acknowledged",
    )
)
@click.argument("file", type=_PATH)
@click.argument("receipts", type=_PATH)
@click.option("--stream", metavar="ID", help="The stream, if RECEIPTS has several.")
@click.option(
    "--key", metavar="FILE|BASE64", help="The server's public key: receipts must be signed by it."
)
@click.option(
    "--source", type=_PATH, metavar="ORIGINAL", help="What was sent: names the exact byte."
)
@json_option
@pass_output
def verify(
    output: Output,
    file: Path,
    receipts: Path,
    stream: str | None,
    key: str | None,
    source: Path | None,
) -> None:
    """Check FILE against RECEIPTS, as 'socketsuite send --ack --receipts' wrote them.

    FILE is what the server wrote to; its closed segments beside it are read with it, compressed
    or not.  The server's journal, if it is beside them, tells which bytes are of which stream.  If
    FILE is a folder, the files of all streams are beneath it; where the journal is gone, and files
    are not named by their streams alone, FILE may be the template: '/srv/sink/{stream}-{seq}.log'.
    Nothing is changed, and no server is needed.
    """
    from socketsuite.cli.verifying.index import ReceiptIndex
    from socketsuite.cli.verifying.report import Verification
    from socketsuite.storage.reading import StoredStreams

    for path in (receipts, *([] if source is None else [source])):
        _look_at(path)
    pinned = None if key is None else _key(key)
    output.totals |= {"streams": 0, "receipts": 0, "signed": 0, "pinned": key is not None}
    index = ReceiptIndex(receipts, pinned)
    try:
        output.totals |= {"receipts": index.receipts, "signed": index.signed}
        stored = StoredStreams(file, stream)
        streams = _chosen(index, stored, stream)
        if source is not None and len(streams) > 1:
            raise click.UsageError("--source wants one stream; --stream ID chooses it.")
        Verification(output, stored, index, source).run(streams)
    finally:
        index.close()


def _look_at(path: Path) -> None:
    """See whether there is a file that may be read."""
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise click.UsageError(f"cannot read {path}: {os_cause(error)}.") from None


def _chosen(index: ReceiptIndex, stored: StoredStreams, stream: str | None) -> list[str]:
    """Return the streams to check."""
    if stream is not None:
        if not index.has(stream):
            raise Failed(f"there is no receipt of stream {stream}", "not-found")
        return [stream]
    streams = list(index.streams())
    if len(streams) > 1 and not stored.are_many:
        # Where the server's journal is beside FILE, it says which of them are in it.
        here = sum(map(stored.knows, streams))
        if here < len(streams):
            which = f"{len(streams)} streams, {here} of them known to be in FILE"
            raise click.UsageError(f"RECEIPTS has {which}; --stream ID chooses one.")
    if not streams and not index.problems.count:
        raise Failed("there are no receipts", "not-found")
    return streams


def _key(text: str) -> bytes:
    """Return the public key that --key names."""
    from socketsuite.wire.acks import ProtocolError, decode_base64

    try:
        return decode_base64(text, 32)
    except ProtocolError:
        pass
    try:
        content = Path(text).read_bytes()[:65536]
    except (OSError, ValueError) as error:
        cause = os_cause(error) if isinstance(error, OSError) else str(error)
        raise click.UsageError(f"--key is no key in base64, nor a file: {cause}.") from None
    if b"-----BEGIN" in content:
        return _pem_key(text, content)
    try:
        return decode_base64(content.decode("ascii", "replace").strip(), 32)
    except ProtocolError:
        raise click.UsageError(f"{text} holds no Ed25519 public key.") from None


def _pem_key(name: str, content: bytes) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise click.UsageError(f"{name} holds no Ed25519 public key.")
    return key.public_bytes_raw()
