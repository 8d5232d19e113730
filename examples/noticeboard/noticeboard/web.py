"""The board in a browser: one page, by twisted.web."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from noticeboard.board import Board
from socketsuite.settings import setting


class BoardPage(Resource):
    """The notices, the newest first."""

    isLeaf = True

    def __init__(self, board: Board, title: str) -> None:
        super().__init__()
        self.board = board
        self.title = title

    def render_GET(self, request: Request) -> bytes:
        """Return the page."""
        request.setHeader("Content-Type", "text/html; charset=utf-8")
        items = "".join(f"<li>{escape(text)}" for _, text in reversed(self.board.notices))
        page = f"<!DOCTYPE html><title>{escape(self.title)}</title><ul>{items}</ul>\n"
        return page.encode()


@dataclass(eq=False)
class BoardSite(Site):
    """The frontend ``web``: a site of twisted.web; its one setting is ``--web-title``."""

    board: Board
    title: str = setting("Noticeboard", "the page's title")

    def __post_init__(self) -> None:
        super().__init__(BoardPage(self.board, self.title))
