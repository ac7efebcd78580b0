"""Linear: mistakes that are often made."""

from ..mistake import Mistake

_FIRST = "[:1].reshape(-1, dout.shape[-1])"
_LAST = "[-1:].reshape(-1, dout.shape[-1])"

FORWARD = (
    Mistake(
        "missing_term",
        "out = out + bias",
        "out = out",
        "the bias is missing: out = x @ weight.T + bias",
    ),
    Mistake(
        "sign",
        "out = out + bias",
        "out = out - bias",
        "the bias is subtracted: out = x @ weight.T + bias",
    ),
    Mistake(
        "transposed",
        "rows @ weight.T",
        "rows @ weight",
        "weight is not transposed: its axes are (O, I), so the product is x @ weight.T",
    ),
    Mistake(
        "wrong_order",
        "rows @ weight.T",
        "(weight @ rows.T).reshape(-1, weight.shape[0])",
        "weight @ x.T has the axes (O, rows): it must be transposed, a reshape mixes its numbers",
    ),
    Mistake(
        "sum_mean",
        "rows @ weight.T",
        "rows @ weight.T / weight.shape[1]",
        "x * weight is averaged over the I inputs: it should be the sum over them",
    ),
    Mistake(
        "wrong_factor",
        "out = out + bias",
        "out = out * bias",
        "the bias is multiplied: it should be added",
    ),
    Mistake(
        "wrong_order",
        "x.reshape(-1, x.shape[-1])",
        "x.reshape(x.shape[-1], -1).T",
        "the rows of x are mixed by a reshape: the last axis, I, must stay the last",
    ),
)

BACKWARD = (
    Mistake(
        "transposed",
        "(drows @ weight)",
        "(drows @ weight.T)",
        "weight.T is used where weight belongs: out = x @ weight.T, so dx = dout @ weight",
    ),
    Mistake(
        "scale",
        "drows.T @ rows",
        "drows.T @ rows / len(rows)",
        "dweight is averaged over the rows: every row used the same weight, so they add up",
    ),
    Mistake(
        "scale",
        "drows.T @ rows",
        "drows.T @ rows / len(x)",
        "dweight is divided by the batch size B: every image used the same weight, so add",
    ),
    Mistake(
        "scale",
        "drows.sum(axis=0)",
        "drows.mean(axis=0)",
        "dbias is averaged over the rows: every row used the same bias, so they add up",
    ),
    Mistake(
        "scale",
        "drows.sum(axis=0)",
        "drows.sum(axis=0) / len(x)",
        "dbias is divided by the batch size B: every image used the same bias, so add",
    ),
    Mistake(
        "incomplete",
        "drows.T @ rows",
        f"dout{_LAST}.T @ x[-1:].reshape(-1, x.shape[-1])",
        "only the last image is there: a loop over the batch must add with +=",
    ),
    Mistake(
        "incomplete",
        "drows.T @ rows",
        "drows[-1:].T @ rows[-1:]",
        "only the last row is there: a loop over the rows must add with +=",
    ),
    Mistake(
        "incomplete",
        "drows.sum(axis=0)",
        f"dout{_LAST}.sum(axis=0)",
        "only the last image is there: a loop over the batch must add with +=",
    ),
    Mistake(
        "incomplete",
        "drows.sum(axis=0)",
        "drows[-1]",
        "only the last row is there: a loop over the rows must add with +=",
    ),
    Mistake(
        "incomplete",
        "drows.T @ rows",
        f"dout{_FIRST}.T @ x[:1].reshape(-1, x.shape[-1])",
        "only the first image is there: every image used the same weight, so add them all up",
    ),
    Mistake(
        "incomplete",
        "drows.T @ rows",
        "drows[:1].T @ rows[:1]",
        "only the first row is there: every row used the same weight, so add them all up",
    ),
    Mistake(
        "incomplete",
        "drows.sum(axis=0)",
        f"dout{_FIRST}.sum(axis=0)",
        "only the first image is there: every image used the same bias, so add them all up",
    ),
    Mistake(
        "incomplete",
        "drows.sum(axis=0)",
        "drows[0]",
        "only the first row is there: every row used the same bias, so add them all up",
    ),
    Mistake(
        "incomplete",
        "drows.T @ rows",
        "drows[:-1].T @ rows[:-1]",
        "the last row is left out: every row used the same weight, so add them all up",
    ),
    Mistake(
        "incomplete",
        "drows.sum(axis=0)",
        "drows[:-1].sum(axis=0)",
        "the last row is left out: every row used the same bias, so add them all up",
    ),
    Mistake(
        "wrong_order",
        "drows.T @ rows",
        "(rows.T @ drows).reshape(weight.shape)",
        "x.T @ dout has the axes (I, O): it must be transposed, a reshape mixes its numbers",
    ),
    Mistake(
        "wrong_order",
        "(drows @ weight)",
        "(weight.T @ drows.T)",
        "weight.T @ dout.T has the axes (I, rows): it must be transposed, not reshaped",
    ),
    Mistake(
        "wrong_order",
        "drows.T @ rows",
        "drows.sum(axis=0)[:, None] * rows.sum(axis=0)",
        "dout and x are added up first: row r of dout belongs with row r of x, then add",
    ),
    Mistake(
        "wrong_order",
        "drows.T @ rows",
        "drows.T @ x.reshape(x.shape[-1], -1).T",
        "the rows of x are mixed by a reshape: x.reshape(-1, I) keeps the last axis the last",
    ),
    Mistake(
        "wrong_order",
        "dout.reshape(-1, dout.shape[-1])",
        "dout.reshape(dout.shape[-1], -1).T",
        "the rows of dout are mixed by a reshape: the last axis, O, must stay the last",
    ),
    Mistake(
        "missing_factor",
        "drows.sum(axis=0)",
        "0 * bias + len(drows)",
        "dout is missing: dbias is the sum of dout over the rows, not the number of rows",
    ),
    Mistake(
        "missing_factor",
        "drows.sum(axis=0)",
        "0 * bias + 1",
        "dbias is 1 everywhere: the slope of out in bias is 1, times dout, summed over the rows",
    ),
    Mistake(
        "wrong_variable",
        "drows.sum(axis=0)",
        "dweight[:, 0]",
        "this is the first column of dweight: dbias is the sum of dout over the rows",
    ),
    Mistake(
        "wrong_order",
        "dweight = drows.T @ rows",
        "dweight = drows.T @ rows\n"
        "    dweight[:, :-1], dweight[:, -1] = 1 * dweight[:, 1:], drows.sum(axis=0)",
        "column 0 is missing, dbias is the last: with ones as last column of x, take [:, :-1]",
    ),
    Mistake(
        "wrong_order",
        "(drows @ weight).reshape(x.shape)",
        "(drows @ weight).reshape(x.shape)\n"
        "    dx[..., :-1], dx[..., -1] = 1 * dx[..., 1:], dout @ bias",
        "column 0 is missing, dout @ bias is the last: with ones as last column, take [..., :-1]",
    ),
)
