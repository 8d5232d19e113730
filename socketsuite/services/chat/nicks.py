"""Names of people and rooms: which are the same.

Two names are the same when their keys are; names that look the same have one skeleton, and the
second is refused.  Which are safe is :mod:`socketsuite.wire.names`'s.  This module must not know
who is here.
"""

from __future__ import annotations

import unicodedata

# What Latin letters are mistaken for (after UTS 39): Cyrillic, Greek, digits.  All of ASCII is
# here, because what translate() does not find costs it an exception.
_LOOKS_LIKE = {code: code for code in range(128)} | str.maketrans(
    "аеорсухіјѕԁԛԝһԍАВЕКМНОРСТХУІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧανορυıɡⅼI1|0",
    "aeopcyxijsdqwhgABEKMHOPCTXYlJSABEZHlKMNOPTYXavopuigllllO",
)


def key_of(name: str) -> str:
    """Return what is the same for two spellings of one name: its case mapping is ASCII's.

    Other letters are told apart by case, as IRC's clients do with ``CASEMAPPING=ascii``; that
    nobody is taken for another is what :func:`skeleton` is for.
    """
    return name.lower() if name.isascii() else name.translate(_ASCII_LOWER)


_ASCII_LOWER = {code: code + 32 for code in range(65, 91)}


def skeleton(name: str) -> str:
    """Return what two names have in common that look alike, such as ``раypal`` and ``paypal``."""
    if name.isascii():
        return name.translate(_LOOKS_LIKE).lower()
    apart = unicodedata.normalize("NFKD", name.translate(_LOOKS_LIKE))
    plain = "".join(c for c in apart if not unicodedata.category(c).startswith("M"))
    return plain.translate(_LOOKS_LIKE).casefold()
