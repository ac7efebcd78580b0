"""The source of a function, as a tree to look at and to change."""

import ast
import inspect
import textwrap


def source_tree(function):
    """The tree of a function's source, without docstring and decorators; a new one each time."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    definition = tree.body[0]
    if ast.get_docstring(definition):
        definition.body = definition.body[1:]
    definition.decorator_list = []
    return tree
