"""Slips of the pen, made by program: every small change of a formula that still computes.

The tables in `mistakes/` say best what is wrong, but nobody thinks of everything. So each line of
a function is changed in each of the small ways in which lines are miswritten: a term or a factor
left out, a sign, sum for mean, another axis, another variable, a transpose.
"""

import ast
import copy
import functools
import sys
from typing import NamedTuple

from .source import source_tree

AXES = (-1, -2, 0, 1)
FUNCTIONS = ("exp", "sqrt", "tanh", "log", "erf")
MOVING = ("reshape", "transpose", "swapaxes")
NO_ARRAYS = (
    *("xp", "cache", "rng", "config", "ops", "norm", "activation", "approximate", "eps"),
    *("drop_rate", "attn_drop_rate", "drop_path_rate", "label_smoothing", "num_heads"),
    *("i", "j", "h", "d"),
)
MOST_VARIABLES = 1500  # places times names up to which one variable is put in another's place


class Slip(NamedTuple):
    """One small change of a function.

    kind : short stable name: "missing_term", "sign" ...
    message : what is wrong, for a student
    function : the function with this change
    right : the function without it
    path, number : the place in its source, and which of the changes there
    """

    kind: str
    message: str
    function: object
    right: object
    path: tuple
    number: int


@functools.cache
def slips(function):
    """Every slip that can be made in a function: a tuple of `Slip`.

    function : of the textbook, or another way to write it
    """
    tree = source_tree(function)
    names = _variables(tree)
    places = [
        (path, node, _line_of(tree, path))
        for i, statement in enumerate(tree.body[0].body)
        for path, node in _walk(statement, (("body", 0), ("body", i)))
    ]
    few = sum(isinstance(node, ast.Name) for _, node, _ in places) * len(names) < MOST_VARIABLES
    found = []
    for path, node, line in places:
        known = [name for name, first in names.items() if few and first < node.lineno]
        for number, (kind, message, new) in enumerate(list(_changes_of(node, known))):
            _put(tree, path, new)
            broken = _compiled(tree, function)
            text = f"{message}, in a line like: {line}"
            found.append(Slip(kind, text, broken, function, path, number))
            _put(tree, path, node)
    return tuple(found)


@functools.cache
def both_slips(one, other):
    """The function with two slips made in it; None where they are at one place.

    one, other : `Slip`, but for variables
    """
    if one.right is not other.right or one.path == other.path:
        return None
    tree = source_tree(one.right)
    for slip in sorted((one, other), key=lambda slip: -len(slip.path)):  # the inner one first
        changes = list(_changes_of(_at(tree, slip.path), []))
        if len(changes) <= slip.number:
            return None
        _put(tree, slip.path, changes[slip.number][2])
    return _compiled(tree, one.right)


def _compiled(tree, function):
    namespace = dict(vars(sys.modules[function.__module__]))
    exec(compile(ast.fix_missing_locations(tree), "<slip>", "exec"), namespace)
    return namespace[function.__name__]


def _walk(node, path):
    """Every expression below a node that may be miswritten, with the way to it."""
    if isinstance(node, (ast.JoinedStr, ast.comprehension)):
        return
    if isinstance(node, ast.keyword) and node.arg in ("axis", "keepdims"):
        return  # changed with the call that it belongs to
    for field, value in ast.iter_fields(node):
        if field == "slice":
            continue
        values = value if isinstance(value, list) else [value]
        for i, one in enumerate(values):
            if isinstance(one, ast.AST):
                here = (*path, (field, i if isinstance(value, list) else None))
                stored = isinstance(getattr(one, "ctx", None), ast.Store)
                if isinstance(one, ast.expr) and not stored:
                    yield here, one
                yield from _walk(one, here)


def _at(tree, path):
    for field, i in path:
        tree = getattr(tree, field) if i is None else getattr(tree, field)[i]
    return tree


def _put(tree, path, new):
    *way, (field, i) = path
    parent = _at(tree, way)
    if i is None:
        setattr(parent, field, new)
    else:
        getattr(parent, field)[i] = new


def _line_of(tree, path):
    """The statement around an expression, as one line."""
    for end in range(len(path), 0, -1):
        node = _at(tree, path[:end])
        if isinstance(node, ast.stmt):
            line = " ".join(ast.unparse(node).split())
            return line if len(line) < 90 else f"{line[:87]}..."
    return ""


def _variables(tree):
    """The names of arrays that a function takes or assigns: dict name -> line where it does."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            found.setdefault(node.arg, node.lineno)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.setdefault(node.id, node.lineno)
    return {
        name: line
        for name, line in found.items()
        if name not in NO_ARRAYS and not name[0].isupper()
    }


def _changes_of(node, names):
    """Pairs of what is wrong and what stands in the place of an expression."""
    if isinstance(node, ast.BinOp):
        yield from _of_operation(node)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        if not isinstance(node.operand, ast.Constant):
            yield "sign", f"the sign of {_text(node.operand)} is wrong", node.operand
    elif isinstance(node, ast.Call):
        yield from _of_call(node)
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield "transposed", f"{_text(node.value)} is not transposed", node.value
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield from _of_number(node)
    elif isinstance(node, ast.Name) and node.id in names:
        for name in names:
            if name != node.id:
                message = f"{name} stands where {node.id} belongs"
                yield "wrong_variable", message, ast.Name(name, ast.Load())


def _of_operation(node):
    left, right = node.left, node.right
    a, b = _text(left), _text(right)
    if isinstance(node.op, ast.Add):
        yield "missing_term", f"the term {b} is missing", left
        yield "missing_term", f"the term {a} is missing", right
        yield "sign", f"{b} is subtracted, not added", ast.BinOp(left, ast.Sub(), right)
        yield "sign", f"{a} has the wrong sign", ast.BinOp(right, ast.Sub(), left)
    elif isinstance(node.op, ast.Sub):
        yield "missing_term", f"the term -{b} is missing", left
        yield "missing_term", f"the term {a} is missing", ast.UnaryOp(ast.USub(), right)
        yield "sign", f"{b} is added, not subtracted", ast.BinOp(left, ast.Add(), right)
        yield "sign", f"{a} - {b} is turned round", ast.BinOp(right, ast.Sub(), left)
    elif isinstance(node.op, ast.Mult):
        yield "missing_factor", f"the factor {b} is missing", left
        yield "missing_factor", f"the factor {a} is missing", right
        yield "wrong_factor", f"divided by {b}, not multiplied", ast.BinOp(left, ast.Div(), right)
        yield "wrong_factor", f"{a} goes into it twice", ast.BinOp(left, ast.Mult(), node)
        yield "wrong_factor", f"{b} goes into it twice", ast.BinOp(node, ast.Mult(), right)
    elif isinstance(node.op, ast.Div):
        yield "missing_factor", f"the division by {b} is missing", left
        yield "wrong_factor", f"multiplied by {b}, not divided", ast.BinOp(left, ast.Mult(), right)
        yield "wrong_factor", f"divided by {b} twice", ast.BinOp(node, ast.Div(), right)
    elif isinstance(node.op, ast.MatMult):
        for operand, other in ((left, right), (right, left)):
            turned = _turned(operand)
            pair = (turned, other) if operand is left else (other, turned)
            texts = _text(turned), _text(operand)
            what = "is not transposed" if len(texts[0]) < len(texts[1]) else "is transposed"
            message = f"{min(texts, key=len)} {what}"
            yield "transposed", message, ast.BinOp(pair[0], ast.MatMult(), pair[1])
    elif isinstance(node.op, ast.Pow):
        yield "wrong_factor", f"the power of {a} is missing", left
        for power in (-1, -0.5, 0.5, 2, -1.5):
            message = f"the power {power:g} stands where {b} belongs"
            yield "wrong_factor", message, ast.BinOp(left, ast.Pow(), ast.Constant(power))


def _turned(node):
    is_turned = isinstance(node, ast.Call) and _name(node) == "swapaxes"
    if is_turned or isinstance(node, ast.Attribute) and node.attr == "T":
        return node.func.value if is_turned else node.value
    method = ast.Attribute(node, "swapaxes", ast.Load())
    return ast.Call(method, [ast.Constant(-1), ast.Constant(-2)], [])


def _of_call(node):
    name = _name(node)
    other = {"sum": "mean", "mean": "sum"}.get(name)
    if other and isinstance(node.func, ast.Attribute):
        changed = copy.deepcopy(node)
        changed.func.attr = other
        whole = _text(node.func.value)
        yield "sum_mean", f"the {other} of {whole} stands where its {name} belongs", changed
        for i, keyword in enumerate(node.keywords):
            for words, axis in _axes(node.func.value) if keyword.arg == "axis" else ():
                changed = copy.deepcopy(node)
                changed.keywords[i].value = axis
                yield "wrong_axis", f"the {name} goes over {words}", changed
        if any(keyword.arg == "keepdims" for keyword in node.keywords):
            message = f"the {name} goes over all of {whole}"
            yield "wrong_axis", message, ast.Call(node.func, [], [])
            yield "missing_factor", f"the {name} over {whole} is missing", node.func.value
    if name in FUNCTIONS and len(node.args) == 1:
        yield "missing_factor", f"{name}( ) is missing around {_text(node.args[0])}", node.args[0]
    if name == "swapaxes":
        yield "transposed", f"{_text(node.func.value)} is not transposed", node.func.value
    if name in MOVING and isinstance(node.func, ast.Attribute) and len(node.args) > 2:
        for i in range(len(node.args) - 1):
            for j in range(i + 1, len(node.args)):
                changed = copy.deepcopy(node)
                changed.args[i], changed.args[j] = node.args[j], node.args[i]
                yield "wrong_order", f"axes {i} and {j} of {name}( ) are exchanged", changed
    if name.endswith("_backward") and node.args:
        yield "missing_factor", f"{name} is left out: its dout goes through unchanged", node.args[0]


def _axes(array):
    """The axes that a sum may go over: in words, and as an expression."""
    for axis in AXES:
        yield f"axis {axis}", ast.Constant(axis)
    rows = ast.parse(f"tuple(range(({ast.unparse(array)}).ndim - 1))", mode="eval").body
    yield "all axes but the last", rows


def _of_number(node):
    for factor, what in ((2, "twice"), (0.5, "half of")):
        message = f"{what} the number {node.value} stands in its place"
        yield "wrong_constant", message, ast.Constant(node.value * factor)


def _name(node):
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _text(node):
    text = ast.unparse(node)
    return f"({text})" if isinstance(node, ast.BinOp) and len(text) > 12 else text
