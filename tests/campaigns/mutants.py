"""Small breakages of a module's source: one operator, constant or statement each.

Pure: source in, mutants out; what becomes of them is seen in ``mutation``.  A mutant is the
source with one span replaced, so that its difference is one that a person can read.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_COMPARED: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
_COMBINED: dict[type[ast.operator], str] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "//",
    ast.FloorDiv: "*",
    ast.Div: "*",
    ast.Mod: "+",
    ast.BitAnd: "|",
    ast.BitOr: "&",
    ast.LShift: ">>",
    ast.RShift: "<<",
}
# Where a node stands, from and to, in bytes.
Span = Callable[[ast.expr | ast.stmt], tuple[int, int]]


@dataclass(frozen=True)
class Mutant:
    """One breakage.

    :ivar module: the file, below the package.
    :ivar where: the function, with its class.
    :ivar before, after: the whole sources.
    """

    module: str
    where: str
    before: str
    after: str

    def changed(self) -> tuple[str, str]:
        """Return what stands there and what would, blanks and line numbers left out."""
        old, new = self.before.splitlines(), self.after.splitlines()
        matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
        pieces = [code for code in matcher.get_opcodes() if code[0] != "equal"]
        gone = [line.strip() for _, a, b, _, _ in pieces for line in old[a:b]]
        come = [line.strip() for _, _, _, a, b in pieces for line in new[a:b]]
        return " ".join(gone), " ".join(come)

    def diff(self) -> str:
        """Return the difference as ``diff -u`` shows it."""
        lines = difflib.unified_diff(
            self.before.splitlines(), self.after.splitlines(), self.module, self.where, "", "", 2
        )
        return "\n".join(line.rstrip("\n") for line in lines)


def mutants(module: str, source: str) -> Iterator[Mutant]:
    """Yield every mutant of *source*; each one still compiles."""
    raw = source.encode()
    starts = [0]
    for line in raw.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def span(node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            starts[node.lineno - 1] + node.col_offset,
            starts[node.end_lineno - 1] + node.end_col_offset,
        )

    for where, node in _functions(ast.parse(source)):
        for begin, end, text in _changes(node, span, raw):
            after = (raw[:begin] + text.encode() + raw[end:]).decode()
            try:
                if ast.dump(ast.parse(after)) == ast.dump(ast.parse(source)):
                    continue
            except SyntaxError:
                continue
            yield Mutant(module, where, source, after)


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Yield every node inside of a function, with the function's name; no annotations."""

    def walk(node: ast.AST, where: str, inside: bool) -> Iterator[tuple[str, ast.AST]]:
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if not isinstance(child, ast.AST) or _is_words(child):
                    continue
                if isinstance(child, ast.FunctionDef | ast.ClassDef):
                    function = inside or isinstance(child, ast.FunctionDef)
                    yield from walk(child, f"{where}.{child.name}".strip("."), function)
                    continue
                if inside:
                    yield where, child
                yield from walk(child, where, inside)

    yield from walk(tree, "", False)


def _is_words(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True  # a docstring
    return isinstance(node, ast.Assert | ast.JoinedStr)


def _changes(node: ast.AST, span: Span, raw: bytes) -> Iterator[tuple[int, int, str]]:
    """Yield what to put in whose place, as ``(begin, end, text)`` in bytes."""
    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            yield span(left)[1], span(right)[0], f" {_COMPARED[type(op)]} "
        case ast.BoolOp(op=op, values=[first, second, *_]):
            yield span(first)[1], span(second)[0], " or " if isinstance(op, ast.And) else " and "
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield span(node)[0], span(operand)[0], ""
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _COMBINED:
            yield span(left)[1], span(right)[0], f" {_COMBINED[type(op)]} "
        case ast.AugAssign(target=target, op=op, value=value) if type(op) in _COMBINED:
            yield span(target)[1], span(value)[0], f" {_COMBINED[type(op)]}= "
        case ast.Constant(value=bool() as value):
            yield *span(node), str(not value)
        case ast.Constant(value=int() as value):
            yield *span(node), str(value + 1)
        case ast.Constant(value=bytes() as value) if value:
            yield *span(node), 'b""'
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            begin, end = span(test)
            if not isinstance(test, ast.Compare | ast.UnaryOp | ast.Constant):
                yield begin, end, f"not ({raw[begin:end].decode()})"
        case ast.Return(value=ast.expr() as value) if not _is_nothing(value):
            yield *span(node), "return None"
        case ast.Expr(value=ast.Call()) | ast.Delete() | ast.Raise():
            yield *span(node), "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield *span(node), "pass"
        case ast.Break() | ast.Continue():
            yield *span(node), "pass"


def _is_nothing(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None
