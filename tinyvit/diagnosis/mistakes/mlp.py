"""MLP: mistakes that are often made."""

from ..mistake import Mistake

_EXACT = 'if activation == "gelu":\n        active, activation_cache = gelu_forward(hidden)'
_TANH = 'active, activation_cache = gelu_forward(hidden, approximate="tanh")'
_RELU = "active, activation_cache = relu_forward(hidden)"
_DROPPED = "dropped, drop_cache = dropout_forward(active, drop_rate, rng)"
_FC2 = "out, fc2_cache = linear_forward(dropped, fc2_weight, fc2_bias)"
_ACT = "act = relu_forward if activation == 'relu' else gelu_forward\n    "


def _active(kind, code, message):
    lines = "from tinyvit.backend import get_array_module\n    xp = get_array_module(x)\n    "
    return Mistake(kind, _DROPPED, f"{lines}active = {code}\n    {_DROPPED}", message)


FORWARD = (
    _active(
        "missing_factor",
        "hidden",
        "the activation is missing: without it two linear layers are one",
    ),
    Mistake(
        "other_forward",
        _EXACT,
        _EXACT.replace("(hidden)", '(hidden, approximate="tanh")'),
        "the activation is GELU's tanh form: it should be the exact GELU",
    ),
    Mistake(
        "other_forward",
        _TANH,
        _TANH.replace(', approximate="tanh"', ""),
        "the activation is the exact GELU: it should be its tanh form",
    ),
    Mistake(
        "other_forward",
        _EXACT,
        _EXACT.replace("gelu_forward", "relu_forward"),
        "the activation is ReLU: it should be GELU",
    ),
    Mistake(
        "other_forward",
        _TANH,
        "active, activation_cache = relu_forward(hidden)",
        "the activation is ReLU: it should be the tanh form of GELU",
    ),
    Mistake(
        "other_forward",
        _RELU,
        "active, activation_cache = gelu_forward(hidden)",
        "the activation is GELU: it should be ReLU",
    ),
    Mistake(
        "extra_term",
        _FC2,
        f"{_FC2}\n    {_ACT}out = act(out)[0]",
        "there is an activation after fc2, too: it stands only between fc1 and fc2",
    ),
    Mistake(
        "wrong_order",
        _FC2,
        f"{_FC2}\n    {_ACT}out = act(linear_forward(hidden, fc2_weight, fc2_bias)[0])[0]",
        "the activation is after fc2: it stands between fc1 and fc2",
    ),
    Mistake(
        "wrong_order",
        _DROPPED,
        f"{_ACT}active = act(linear_forward(x, fc1_weight, None)[0])[0] + fc1_bias\n    {_DROPPED}",
        "fc1_bias is added after the activation: it belongs to fc1, before it",
    ),
    _active(
        "other_forward",
        "hidden / (1 + xp.exp(-1.702 * hidden))",
        "the activation is GELU's sigmoid form, x * sigmoid(1.702 x)",
    ),
    _active(
        "other_forward", "hidden / (1 + xp.exp(-hidden))", "the activation is SiLU, x * sigmoid(x)"
    ),
    _active("other_forward", "xp.tanh(hidden)", "the activation is tanh"),
    _active("other_forward", "1 / (1 + xp.exp(-hidden))", "the activation is the sigmoid"),
)

_DACTIVE = "dactive = dropout_backward(ddropped, drop_cache)"
_DHIDDEN = "dhidden = backward(dactive, activation_cache)"
_RETURN = "return dx, dfc1_weight, dfc1_bias, dfc2_weight, dfc2_bias"
_HIDDEN = """hidden = linear_forward(*fc1_cache)[0]
    how = "tanh" if activation == "gelu_tanh" else "none"
    act = relu_forward if activation == "relu" else lambda z: gelu_forward(z, how)
    """


def _slope(kind, code, message):
    return Mistake(kind, _DHIDDEN, f"{_HIDDEN}dhidden = {code}", message)


def _returned(kind, name, code, message):
    return Mistake(kind, _RETURN, f"{name} = {code}\n    {_RETURN}", message)


def _rows(name):
    return f"{name}.reshape(-1, {name}.shape[-1])"


def _parameters_of(part, message):
    """The gradients of all parameters, made of some rows or images only."""
    rows = "reshape(-1, a.shape[-1])" if part.startswith("rows") else "reshape(a.shape)"
    lines = (
        f"some = lambda a: a.{rows}[{part.removeprefix('rows')}]",
        "first = some(fc1_cache[0]), *fc1_cache[1:]",
        "second = some(fc2_cache[0]), *fc2_cache[1:]",
        "dfc1_weight, dfc1_bias = linear_backward(some(dhidden), first)[1:]",
        "dfc2_weight, dfc2_bias = linear_backward(some(dout), second)[1:]",
        _RETURN,
    )
    return Mistake("incomplete", _RETURN, "\n    ".join(lines), message)


BACKWARD = (
    _slope(
        "missing_factor",
        "dactive",
        "the derivative of the activation is missing: dhidden = dactive * activation'(hidden)",
    ),
    _slope(
        "wrong_variable",
        "backward(dactive, act(act(hidden)[0])[1])",
        "the derivative is taken at active: it is taken at hidden, before the activation",
    ),
    _slope(
        "wrong_factor",
        "dactive * act(hidden)[0]",
        "active itself is multiplied in: it should be the derivative of the activation",
    ),
    _returned(
        "wrong_variable",
        "dfc2_weight",
        f"{_rows('dout')}.T @ {_rows('linear_forward(*fc1_cache)[0]')}",
        "hidden stands where active belongs: fc2's input is what comes after the activation",
    ),
    _slope(
        "other_forward",
        "gelu_backward(dactive, gelu_forward(hidden)[1])",
        "the derivative is the exact GELU's: here the activation is another",
    ),
    _slope(
        "other_forward",
        'gelu_backward(dactive, gelu_forward(hidden, "tanh")[1])',
        "the derivative is that of GELU's tanh form: here the activation is another",
    ),
    _slope(
        "other_forward",
        "dactive * (hidden > 0)",
        "the derivative is ReLU's: here the activation is another",
    ),
    _slope(
        "wrong_variable",
        "backward(dactive, act(dactive)[1])",
        "the derivative is taken at the gradient: it is taken at hidden, as in the forward",
    ),
    _slope(
        "wrong_factor",
        "act(dactive)[0]",
        "the activation is applied to the gradient: its derivative at hidden is multiplied in",
    ),
    _slope(
        "missing_factor",
        "backward(0 * dactive + 1, activation_cache)",
        "dactive is missing: dhidden = dactive * activation'(hidden)",
    ),
    _parameters_of(
        "rows-1:", "only the last row (token) is there: the parameters' gradients add up over all"
    ),
    _parameters_of(
        "rows:1", "only the first row (token) is there: the parameters' gradients add up over all"
    ),
    _parameters_of(
        "-1:", "only the last image is there: the parameters' gradients add up over the batch"
    ),
    _parameters_of(
        ":1", "only the first image is there: the parameters' gradients add up over the batch"
    ),
    _parameters_of(
        "rows:-1", "the last row (token) is missing: the parameters' gradients add up over all"
    ),
    Mistake(
        "wrong_variable",
        _DACTIVE,
        f"ddropped = dout @ fc1_cache[1].T\n    {_DACTIVE}",
        "fc1_weight is used on the way back through fc2: it is dout @ fc2_weight",
    ),
    _returned(
        "wrong_variable",
        "dx",
        "dhidden @ fc2_cache[1].T",
        "fc2_weight is used on the way back through fc1: it is dhidden @ fc1_weight",
    ),
    _returned(
        "swapped",
        "dfc1_weight, dfc2_weight",
        "dfc2_weight.T, dfc1_weight.T",
        "dfc1_weight and dfc2_weight stand in each other's place, transposed: exchange them",
    ),
    _returned(
        "wrong_order",
        "dfc1_weight, dfc2_weight",
        "dfc1_weight.T.reshape(dfc1_weight.shape), dfc2_weight.T.reshape(dfc2_weight.shape)",
        "its product is the other way round, x.T @ dout: transpose that, a reshape mixes it",
    ),
    _returned(
        "wrong_variable",
        "dfc1_weight",
        f"{_rows('dhidden')}.T @ {_rows('dout')}",
        "dout stands where x belongs: dfc1_weight = dhidden.T @ x",
    ),
    _returned(
        "wrong_variable",
        "dfc2_weight",
        f"{_rows('fc1_cache[0]')}.T @ {_rows('fc2_cache[0]')}",
        "x stands where dout belongs: dfc2_weight = dout.T @ active",
    ),
    _slope(
        "wrong_factor",
        "dactive * hidden",
        "hidden is multiplied in: it should be the derivative of the activation at hidden",
    ),
)
