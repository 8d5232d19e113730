"""How long one person may keep everybody else waiting.

What somebody sends in one piece is obeyed in turns: in between it is the turn of others.  This
module must not know what is obeyed.
"""

from __future__ import annotations

TURN = 0.003
"""Seconds after which no further line, and no further part of a long answer, is begun."""
