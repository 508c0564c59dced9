"""Normal form of source files: equal for sources that differ only in comments, docstrings and formatting."""

import ast
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

# Fields of the syntax tree that have no effect at run time: the prefix of `u"..."` and type comments.
_SYNTAX_ONLY = ("kind", "type_comment", "type_ignores")


@lru_cache(maxsize=1024)
def normal_form(source: bytes, *, annotations: bool = False) -> str:
    """Serialize what a source file does, without the details of how it is written.

    The form is the syntax tree without comments, docstrings, formatting and the annotations of functions and their
    variables. Annotations in classes stay: they declare the fields of configurations. The form does not depend on
    the version of Python.

    Args:
        source: The file's content.
        annotations: Whether to keep the annotations of functions.
    """
    tree = _Stripper(annotations=annotations).visit(ast.parse(source))
    return "".join(_serialize(tree))


@lru_cache(maxsize=128)
def strip_comments(source: str) -> str:
    """Return executable source without comments and docstrings, formatted by `ast.unparse`."""
    tree = _Stripper(annotations=True).visit(ast.parse(source))
    for node in ast.walk(tree):
        if getattr(node, "body", None) == []:
            node.body = [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(tree)


class _Stripper(ast.NodeTransformer):
    """Removes what has no effect when the program runs."""

    def __init__(self, *, annotations: bool) -> None:
        self._annotations = annotations
        self._in_function = False

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """Remove docstrings and other constants that stand alone."""
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Pass(self, node: ast.Pass) -> None:
        """Remove `pass`, which a docstring replaces."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        """Replace `if TYPE_CHECKING:` by its `else` branch, which is the one that runs."""
        self.generic_visit(node)
        is_for_types = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return node.orelse if is_for_types and not self._annotations else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        """Remove the empty parts that Python 3.12.1 puts into f-strings."""
        self.generic_visit(node)
        node.values = [each for each in node.values if not (isinstance(each, ast.Constant) and each.value == "")]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Keep the annotations of a class."""
        return self._visit_scope(node, in_function=False)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Remove the annotations of a function."""
        return self._visit_scope(node, in_function=True)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """Remove the annotations of a coroutine."""
        return self._visit_scope(node, in_function=True)

    def _visit_scope(
        self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, *, in_function: bool
    ) -> ast.AST:
        if not (self._annotations or isinstance(node, ast.ClassDef)):
            node.returns = None
        outer, self._in_function = self._in_function, in_function
        self.generic_visit(node)
        self._in_function = outer
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """Remove the annotation of a parameter."""
        return node if self._annotations else ast.arg(arg=node.arg)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        """Turn a function's annotated variable into a plain one."""
        self.generic_visit(node)
        if self._annotations or not self._in_function:
            return node
        return ast.Assign(targets=[node.target], value=node.value) if node.value else None


def _serialize(value: Any) -> Iterator[str]:
    if isinstance(value, ast.AST):
        yield f"{type(value).__name__}("
        for name, each in ast.iter_fields(value):
            # Newer versions of Python add fields, which are empty for code that older ones understand.
            if each is not None and each != [] and name not in _SYNTAX_ONLY:
                yield f"{name}="
                yield from _serialize(each)
        yield ")"
    elif isinstance(value, list):
        yield "["
        for each in value:
            yield from _serialize(each)
        yield "]"
    else:
        # ASCII, because `repr` escapes what its version of Unicode does not know.
        yield f"{value!a},"
