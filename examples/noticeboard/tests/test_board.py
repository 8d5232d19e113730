from noticeboard.board import Board
from noticeboard.lines import LinesFactory
from twisted.internet.testing import StringTransport


def test_the_oldest_notice_is_taken_down() -> None:
    board = Board(most=2)
    for text in "abc":
        board.pin(text)
    assert list(board.notices) == [(2, "b"), (3, "c")]


def test_an_empty_line_reads_the_board() -> None:
    board = Board()
    board.pin("milk")
    protocol, transport = LinesFactory(board).buildProtocol(None), StringTransport()
    protocol.makeConnection(transport)
    protocol.dataReceived(b"\neggs\n")
    assert transport.value() == b"1 milk\n\npinned eggs\n"
    assert list(board.notices)[-1] == (2, "eggs")
