"""Block: mistakes that are often made."""

from ..mistake import Mistake

_BEGIN = 'p, cache = params, {"norm": norm}'
_PRE_1 = "x = x + attention(norm1(x))"
_PRE_2 = "out = x + mlp(norm2(x))"
_PRE = f"{_PRE_1}\n        {_PRE_2}"
_POST_1 = "x = norm1(x + attention(x))"
_POST_2 = "out = norm2(x + mlp(x))"
_POST = f"{_POST_1}\n        {_POST_2}"

FORWARD = (
    Mistake(
        "missing_term",
        _PRE_1,
        "x = attention(norm1(x))",
        "attention's residual is missing: it is x + attention(norm1(x))",
    ),
    Mistake(
        "missing_term",
        _PRE_2,
        "out = mlp(norm2(x))",
        "the MLP's residual is missing: it is x + mlp(norm2(x))",
    ),
    Mistake(
        "missing_term",
        _PRE,
        "x = attention(norm1(x))\n        out = mlp(norm2(x))",
        "both residuals are missing: each branch is added to the x that went into it",
    ),
    Mistake(
        "missing_factor",
        _PRE_1,
        "x = x + attention(x)",
        "norm1 is missing: attention gets norm1(x)",
    ),
    Mistake(
        "missing_factor", _PRE_2, "out = x + mlp(x)", "norm2 is missing: the MLP gets norm2(x)"
    ),
    Mistake(
        "missing_factor",
        _PRE,
        "x = x + attention(x)\n        out = x + mlp(x)",
        "both norms are missing: attention gets norm1(x), the MLP gets norm2(x)",
    ),
    Mistake(
        "other_forward",
        'if norm == "pre":',
        'if norm != "pre":',
        'pre-norm and post-norm are exchanged: norm="pre" is x + f(norm(x)), "post" norm(x + f(x))',
    ),
    Mistake(
        "wrong_variable",
        _PRE_1,
        "x = norm1(x)\n        x = x + attention(x)",
        "norm1(x) is the residual of attention: the residual is x itself, before the norm",
    ),
    Mistake(
        "wrong_variable",
        _PRE_2,
        "x = norm2(x)\n        out = x + mlp(x)",
        "norm2(x) is the residual of the MLP: the residual is x itself, before the norm",
    ),
    Mistake(
        "wrong_variable",
        _PRE,
        "x = norm1(x)\n        x = x + attention(x)\n        x = norm2(x)\n"
        "        out = x + mlp(x)",
        "the normalised x is the residual, twice: the residual is x itself, before the norm",
    ),
    Mistake(
        "other_forward",
        _PRE_1,
        "x = x + norm1(attention(x))",
        "norm1 comes after attention: it comes before, x + attention(norm1(x))",
    ),
    Mistake(
        "other_forward",
        _PRE_2,
        "out = x + norm2(mlp(x))",
        "norm2 comes after the MLP: it comes before, x + mlp(norm2(x))",
    ),
    Mistake(
        "other_forward",
        _PRE,
        "x = x + norm1(attention(x))\n        out = x + norm2(mlp(x))",
        "the norms come after attention and MLP: in pre-norm they come before",
    ),
    Mistake(
        "wrong_variable",
        _PRE,
        "first = x\n        x = x + attention(norm1(x))\n        out = first + mlp(norm2(x))",
        "the MLP's residual is the block's input: it is x with attention added",
    ),
    Mistake(
        "wrong_variable",
        _PRE,
        "out = x + attention(norm1(x)) + mlp(norm2(x))",
        "the MLP gets the block's input: it gets x with attention added",
    ),
    Mistake(
        "wrong_variable",
        _PRE_2,
        "out = x + mlp(norm1(x))",
        "norm1 is used before the MLP, too: norm2 has a weight and a bias of its own",
    ),
    Mistake(
        "wrong_variable",
        _PRE,
        "x = x + attention(norm2(x))\n        out = x + mlp(norm1(x))",
        "norm1 and norm2 are exchanged: norm1 is before attention, norm2 before the MLP",
    ),
    Mistake(
        "wrong_variable",
        _PRE_1,
        "x = x + attention(norm2(x))",
        "norm2 is used before attention: it is norm1",
    ),
    Mistake(
        "wrong_order",
        _PRE,
        "x = x + mlp(norm2(x))\n        out = x + attention(norm1(x))",
        "the MLP comes before attention: attention is first",
    ),
    Mistake(
        "extra_term",
        _PRE_2,
        "out = norm2(x + mlp(norm2(x)))",
        "there is a norm after the MLP, too: pre-norm has none after the sum",
    ),
    Mistake(
        "missing_factor",
        _POST_1,
        "x = x + attention(x)",
        "norm1 is missing: post-norm is norm1(x + attention(x))",
    ),
    Mistake(
        "missing_factor",
        _POST_2,
        "out = x + mlp(x)",
        "norm2 is missing: post-norm is norm2(x + mlp(x))",
    ),
    Mistake(
        "other_forward",
        _POST_1,
        "x = x + norm1(attention(x))",
        "norm1 is taken of attention alone: it is taken of the sum x + attention(x)",
    ),
    Mistake(
        "other_forward",
        _POST_2,
        "out = x + norm2(mlp(x))",
        "norm2 is taken of the MLP alone: it is taken of the sum x + mlp(x)",
    ),
    Mistake(
        "other_forward",
        _POST,
        "x = x + norm1(attention(x))\n        out = x + norm2(mlp(x))",
        "the norms are taken of the branches alone: they are taken of the sums",
    ),
    Mistake(
        "missing_term",
        _POST,
        "x = norm1(attention(x))\n        out = norm2(mlp(x))",
        "both residuals are missing: post-norm is norm(x + f(x))",
    ),
    Mistake(
        "other_forward",
        _BEGIN,
        f'{_BEGIN}\n    activation = "gelu"',
        "the activation is always the exact GELU: it is the one that was passed",
    ),
    Mistake(
        "other_forward",
        _BEGIN,
        f'{_BEGIN}\n    activation = "relu"',
        "the activation is always ReLU: it is the one that was passed",
    ),
    Mistake(
        "other_forward",
        _BEGIN,
        f'{_BEGIN}\n    activation = "gelu_tanh"',
        "the activation is always GELU's tanh form: it is the one that was passed",
    ),
)

_GRADS = "grads = {}"
_DPRE_2 = "dx = dout + dnorm2(dmlp(dout))"
_DPRE_1 = "dx = dx + dnorm1(dattention(dx))"
_DPRE = f"{_DPRE_2}  # forward: out = x + mlp(norm2(x)); x fed both\n        {_DPRE_1}"
_DPOST_NORM_2 = "dx = dnorm2(dout)"
_DPOST_2 = "dx = dx + dmlp(dx)"
_DPOST_NORM_1 = "dx = dnorm1(dx)"
_DPOST_1 = "dx = dx + dattention(dx)"
_AGAIN = (
    'options = {**vars(given), "norm": "post" if cache["norm"] == "pre" else "pre"}\n'
    "    cache = block_forward(**options)[1]\n    "
)

BACKWARD = (
    Mistake(
        "fork",
        _DPRE_2,
        "dx = dnorm2(dmlp(dout))",
        "the MLP's residual is missing: x feeds out directly, too, so dout is added",
    ),
    Mistake(
        "fork",
        _DPRE_1,
        "dx = dnorm1(dattention(dx))",
        "attention's residual is missing: x goes on directly, too, so dx itself is added",
    ),
    Mistake(
        "fork",
        _DPRE,
        "dx = dnorm2(dmlp(dout))\n        dx = dnorm1(dattention(dx))",
        "both residuals are missing: in x + f(x), x feeds two ways, and their gradients add",
    ),
    Mistake(
        "fork",
        _DPRE_2,
        "dnorm2(dmlp(dout))\n        dx = dout",
        "only the MLP's residual is there: the gradient through mlp(norm2(x)) is added to it",
    ),
    Mistake(
        "fork",
        _DPRE_1,
        "dnorm1(dattention(dx))",
        "only attention's residual is there: the gradient through attention(norm1(x)) is added",
    ),
    Mistake(
        "fork",
        _DPRE,
        "dx = dout + dnorm2(dmlp(dout))\n        dnorm1(dattention(dx))\n        dx = dout",
        "only the residuals are there: the gradients through the branches are added",
    ),
    Mistake(
        "wrong_variable",
        _DPRE_1,
        "dx = dx + dnorm1(dattention(dout))",
        "attention gets dout: it gets the dx that came back through the MLP's half",
    ),
    Mistake(
        "fork",
        _DPRE_2,
        "dx = dnorm2(dout + dmlp(dout))",
        "the residual goes through norm2, too: it leaves before the norm, add dout after dnorm2",
    ),
    Mistake(
        "fork",
        _DPRE_1,
        "dx = dnorm1(dx + dattention(dx))",
        "the residual goes through norm1, too: it leaves before the norm, add dx after dnorm1",
    ),
    Mistake(
        "fork",
        _DPRE,
        "dx = dnorm2(dout + dmlp(dout))\n        dx = dnorm1(dx + dattention(dx))",
        "the residuals go through the norms, too: they leave before them, add after the norm",
    ),
    Mistake(
        "missing_factor",
        _DPRE_2,
        "dbranch = dmlp(dout)\n        dnorm2(dbranch)\n        dx = dout + dbranch",
        "norm2's backward is missing on the way to x: the MLP got norm2(x)",
    ),
    Mistake(
        "missing_factor",
        _DPRE_1,
        "dbranch = dattention(dx)\n        dnorm1(dbranch)\n        dx = dx + dbranch",
        "norm1's backward is missing on the way to x: attention got norm1(x)",
    ),
    Mistake(
        "missing_factor",
        _DPRE,
        "dbranch = dmlp(dout)\n        dnorm2(dbranch)\n        dx = dout + dbranch\n"
        "        dbranch = dattention(dx)\n        dnorm1(dbranch)\n        dx = dx + dbranch",
        "the backwards of both norms are missing on the way to x: the branches got norm(x)",
    ),
    Mistake(
        "other_forward",
        _DPRE_2,
        "dx = dout + dmlp(dnorm2(dout))",
        "norm2's backward comes before the MLP's: forward is norm2, then MLP, so backward is "
        "MLP first",
    ),
    Mistake(
        "other_forward",
        _DPRE_1,
        "dx = dx + dattention(dnorm1(dx))",
        "norm1's backward comes before attention's: it comes after, as norm1 came first in forward",
    ),
    Mistake(
        "other_forward",
        _DPRE,
        "dx = dout + dmlp(dnorm2(dout))\n        dx = dx + dattention(dnorm1(dx))",
        "the norms' backwards come before those of the branches: "
        "backward walks the forward in reverse",
    ),
    Mistake(
        "wrong_order",
        _DPRE,
        "dx = dout + dnorm1(dattention(dout))\n        dx = dx + dnorm2(dmlp(dx))",
        "attention's half comes first: backward begins with the last step of forward, the "
        "MLP's half",
    ),
    Mistake(
        "extra_term",
        _DPRE_1,
        "dx = 2 * dx + dnorm1(dattention(dx))",
        "dx is added twice in attention's half",
    ),
    Mistake(
        "extra_term",
        _DPRE_2,
        "dx = 2 * dout + dnorm2(dmlp(dout))",
        "dout is added twice in the MLP's half",
    ),
    Mistake(
        "other_forward",
        'if cache["norm"] == "pre":',
        'if cache["norm"] != "pre":',
        "the steps are those of the other norm: pre-norm is x + f(norm(x)), post-norm norm(x "
        "+ f(x))",
    ),
    Mistake(
        "other_forward",
        _GRADS,
        f"{_AGAIN}{_GRADS}",
        "this is the gradient of the other norm: pre-norm is x + f(norm(x)), post-norm "
        "norm(x + f(x))",
    ),
    Mistake(
        "wrong_cache",
        'layernorm_backward(dx, cache["norm2"])',
        'layernorm_backward(dx, cache["norm1"])',
        "norm2's backward uses norm1's cache",
    ),
    Mistake(
        "wrong_cache",
        'layernorm_backward(dx, cache["norm1"])',
        'layernorm_backward(dx, cache["norm2"])',
        "norm1's backward uses norm2's cache",
    ),
    Mistake(
        "wrong_cache",
        _GRADS,
        '_norms = {"norm1": cache["norm2"], "norm2": cache["norm1"]}\n'
        f"    cache = {{**cache, **_norms}}\n    {_GRADS}",
        "the caches of norm1 and norm2 are exchanged",
    ),
    Mistake(
        "fork",
        _DPOST_2,
        "dx = dmlp(dx)",
        "the MLP's residual is missing: in x + mlp(x), x feeds two ways, and their gradients add",
    ),
    Mistake(
        "fork",
        _DPOST_1,
        "dx = dattention(dx)",
        "attention's residual is missing: in x + attention(x), x feeds two ways, their "
        "gradients add",
    ),
    Mistake(
        "fork",
        f"{_DPOST_2}  # forward: x + mlp(x); x fed both\n"
        f"        {_DPOST_NORM_1}  # forward: x = norm1(x + attention(x))\n        {_DPOST_1}",
        f"dx = dmlp(dx)\n        {_DPOST_NORM_1}\n        dx = dattention(dx)",
        "both residuals are missing: in x + f(x), x feeds two ways, and their gradients add",
    ),
    Mistake(
        "wrong_variable",
        _DPOST_2,
        "dx = dout + dmlp(dx)",
        "the MLP's residual skips norm2: dout passes norm2's backward first, then the two ways add",
    ),
    Mistake(
        "wrong_variable",
        f"{_DPOST_NORM_1}  # forward: x = norm1(x + attention(x))\n        {_DPOST_1}",
        "dx = dx + dattention(dnorm1(dx))",
        "attention's residual skips norm1: dx passes norm1's backward first, then the two ways add",
    ),
    Mistake(
        "missing_factor",
        _DPOST_NORM_2,
        "dnorm2(dout)\n        dx = dout",
        "norm2's backward is missing on the way to x",
    ),
    Mistake(
        "missing_factor", _DPOST_NORM_1, "dnorm1(dx)", "norm1's backward is missing on the way to x"
    ),
)
