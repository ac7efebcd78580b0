"""Answers of students to the exercise layernorm: right ones, and wrong ones with what is wrong."""

# ruff: noqa: E501  the table reads best with one mistake a line

RIGHT = {
    "loops": """
import numpy as np


def layernorm_forward(x, weight, bias, eps=1e-6):
    flat = x.reshape(-1, x.shape[-1])
    T, D = flat.shape
    normed = np.zeros_like(flat)
    stds = np.zeros(T, x.dtype)
    for t in range(T):
        mu = sum(flat[t]) / D
        var = sum((flat[t] - mu) ** 2) / D
        stds[t] = (var + eps) ** 0.5
        normed[t] = (flat[t] - mu) / stds[t]
    out = normed * weight + bias
    return out.reshape(x.shape), (normed, stds, weight)


def layernorm_backward(dout, cache):
    normed, stds, weight = cache
    T, D = normed.shape
    g = dout.reshape(T, D)
    dx = np.zeros_like(normed)
    dweight = np.zeros_like(weight)
    dbias = np.zeros_like(weight)
    for t in range(T):
        dbias += g[t]
        dweight += g[t] * normed[t]
        gn = g[t] * weight
        a = gn.sum() / D
        b = gn.dot(normed[t]) / D
        dx[t] = (gn - a - normed[t] * b) / stds[t]
    return dx.reshape(dout.shape), dweight, dbias
""",
    "cancelled": """
import numpy as np


def layernorm_backward(dout, cache):
    n, s, gamma = cache
    D = dout.shape[-1]
    d2, n2 = dout.reshape(-1, D), n.reshape(-1, D)
    dgamma = np.sum(d2 * n2, axis=0)
    dbeta = np.sum(d2, axis=0)
    dn = d2 * gamma
    first = np.sum(dn, axis=1, keepdims=True)
    second = np.sum(dn * n2, axis=1, keepdims=True)
    dx = (D * dn - first - n2 * second) / (D * s.reshape(-1, 1))
    return dx.reshape(dout.shape), dgamma, dbeta
""",
    "steps": """
import numpy as np


def layernorm_forward(x, weight, bias, eps=1e-6):
    D = x.shape[-1]
    mu = np.sum(x, axis=-1, keepdims=True) / D
    xmu = x - mu
    sq = xmu ** 2
    var = np.sum(sq, axis=-1, keepdims=True) / D
    sqrtvar = np.sqrt(var + eps)
    ivar = 1.0 / sqrtvar
    xhat = xmu * ivar
    out = weight * xhat + bias
    return out, (xhat, weight, xmu, ivar, sqrtvar)


def layernorm_backward(dout, cache):
    xhat, gamma, xmu, ivar, sqrtvar = cache
    D = dout.shape[-1]
    lead = tuple(range(dout.ndim - 1))
    dbeta = np.sum(dout, axis=lead)
    dgamma = np.sum(dout * xhat, axis=lead)
    dxhat = dout * gamma
    # the product xmu * ivar
    divar = np.sum(dxhat * xmu, axis=-1, keepdims=True)
    dxmu1 = dxhat * ivar
    # the inverse and the root
    dsqrtvar = -1.0 / sqrtvar**2 * divar
    dvar = 0.5 / sqrtvar * dsqrtvar
    # the mean of the squares
    dsq = np.ones_like(dout) / D * dvar
    dxmu2 = 2 * xmu * dsq
    # the subtraction
    dx1 = dxmu1 + dxmu2
    dmu = -np.sum(dx1, axis=-1, keepdims=True)
    dx2 = np.ones_like(dout) / D * dmu
    dx = dx1 + dx2
    return dx, dgamma, dbeta
""",
    "jacobian": """
import numpy as np


def layernorm_backward(dout, cache):
    xhat, std, weight = cache
    D = xhat.shape[-1]
    z = xhat.reshape(-1, D)
    g = dout.reshape(-1, D)
    s = std.reshape(-1)
    dx = np.empty_like(z)
    for row in range(len(z)):
        J = np.eye(D) - np.ones((D, D)) / D - np.outer(z[row], z[row]) / D
        J = J / s[row]
        dx[row] = J.T @ (weight * g[row])
    dgain = np.diag(g.T @ z).copy()
    dshift = g.sum(0)
    return dx.reshape(dout.shape), dgain, dshift
""",
    "dictionary": """
import numpy as np


def layernorm_forward(x, weight, bias, eps=1e-6):
    m = np.mean(x, -1, keepdims=True)
    v = np.var(x, -1, keepdims=True)
    y = (x - m) / np.sqrt(v + eps) * weight + bias
    return y, {"x": x, "mean": m, "var": v, "w": weight, "eps": eps}


def layernorm_backward(dout, cache):
    x, m, v = cache["x"], cache["mean"], cache["var"]
    w, eps = cache["w"], cache["eps"]
    D = x.shape[-1]
    r = (v + eps) ** -0.5
    dw = (dout * (x - m) * r).reshape(-1, D).sum(axis=0)
    db = dout.reshape(-1, D).sum(axis=0)
    dn = dout * w
    dv = (dn * (x - m)).sum(axis=-1, keepdims=True) * -0.5 * r**3
    dm = -(dn * r).sum(axis=-1, keepdims=True)
    dx = dn * r + dv * 2 * (x - m) / D + dm / D
    return dx, dw, db
""",
    "einsum": """
import numpy as np


def layernorm_backward(dout, cache):
    xhat, std, weight = cache
    D = weight.size
    dweight = np.einsum("nd,nd->d", dout.reshape(-1, D), xhat.reshape(-1, D))
    dbias = np.einsum("nd->d", dout.reshape(-1, D))
    total = np.einsum("...d,d->...", dout, weight) / D
    along = np.einsum("...d,d,...d->...", dout, weight, xhat) / D
    dx = np.einsum("...d,d->...d", dout, weight)
    dx = dx - total[..., None] - np.einsum("...,...d->...d", along, xhat)
    return dx / std, dweight, dbias
""",
    "centred_twice": """
import numpy as np


def centre(a):
    return a - a.mean(axis=-1, keepdims=True)


def layernorm_backward(dout, cache):
    unit, spread, gain = cache
    axes = tuple(range(dout.ndim))[:-1]
    g = centre(dout * gain)
    g = g - unit * (g * unit).mean(axis=-1, keepdims=True)
    return g / spread, np.sum(dout * unit, axes), np.sum(dout, axes)
""",
    "forward": """
import numpy as np


def layernorm_forward(x, weight, bias, eps=1e-6):
    mu = x.mean(-1)[..., None]
    second = (x * x).mean(-1)[..., None]
    std = np.sqrt(second - mu * mu + eps)
    xhat = (x - mu) / std
    return xhat * weight + bias, (xhat, std, weight)
""",
    "float32": """
import numpy as np


def layernorm_forward(x, weight, bias, eps=1e-6):
    x32 = x.astype(np.float32)
    c = x32 - x32.mean(-1, keepdims=True)
    inv = 1 / np.sqrt((c * c).mean(-1, keepdims=True) + np.float32(eps))
    y = c * inv * weight.astype(np.float32) + bias.astype(np.float32)
    return y.astype(x.dtype), (c * inv, inv, weight)


def layernorm_backward(dout, cache):
    n, inv, weight = cache
    g = dout.astype(np.float32)
    axes = tuple(range(g.ndim - 1))
    gw = g * weight.astype(np.float32)
    dx = inv * (gw - gw.mean(-1, keepdims=True) - n * (gw * n).mean(-1, keepdims=True))
    grads = dx, (g * n).sum(axes), g.sum(axes)
    return tuple(a.astype(dout.dtype) for a in grads)
""",
}

WRONG = [
    ("loops", "dbias: of the last token only", "incomplete", "dbias += g[t]", "dbias = g[t] * 1.0"),
    ("loops", "dweight: of the last token only", "incomplete", "dweight += g", "dweight = g"),
    ("loops", "the last token left out of everything", "incomplete", "    for t in range(T):\n        dbias", "    for t in range(T - 1):\n        dbias"),
    ("loops", "forward: variance divided by D - 1", "sum_mean", "** 2) / D", "** 2) / (D - 1)"),
    ("loops", "forward: variance is a sum", "sum_mean", "** 2) / D", "** 2)"),
    ("loops", "forward: divided by the variance, no root", "wrong_factor missing_factor", "(var + eps) ** 0.5", "var + eps"),
    ("loops", "forward: the bias subtracted", "sign", "normed * weight + bias", "normed * weight - bias"),
    ("loops", "dx: divided by D twice", "sum_mean wrong_constant", "b = gn.dot(normed[t]) / D", "b = gn.dot(normed[t]) / D / D"),
    ("loops", "dx: the term of the mean uses dout, not dxhat", "wrong_variable missing_factor", "a = gn.sum() / D", "a = g[t].sum() / D"),
    ("loops", "dx: treated as if each element were by itself", "elementwise missing_term", "(gn - a - normed[t] * b)", "gn"),
    ("loops", "the cache holds the output, not xhat", "wrong_cache wrong_variable", "(normed, stds, weight)\n\n", "(out, stds, weight)\n\n"),
    ("cancelled", "dx: D forgotten below", "scale missing_factor", "(D * s.reshape(-1, 1))", "s.reshape(-1, 1)"),
    ("cancelled", "dx: D forgotten in front of dxhat", "missing_factor sum_mean", "(D * dn -", "(dn -"),
    ("cancelled", "dx: D - 1 for D below", "sum_mean scale", "/ (D * s", "/ ((D - 1) * s"),
    ("cancelled", "dx: the term of the mean forgotten", "missing_term", "D * dn - first -", "D * dn -"),
    ("cancelled", "dx: the term of the variance added", "sign", "first - n2", "first + n2"),
    ("cancelled", "dx: the variance's term without xhat", "missing_factor", "- n2 * second)", "- second)"),
    ("cancelled", "dx: the sum goes over the tokens", "wrong_axis", "first = np.sum(dn, axis=1", "first = np.sum(dn, axis=0"),
    ("cancelled", "dweight: the mean over the tokens", "scale sum_mean", "dgamma = np.sum", "dgamma = np.mean"),
    ("cancelled", "dbias: divided by the batch", "scale", "dbeta = np.sum(d2, axis=0)", "dbeta = np.sum(d2, axis=0) / len(dout)"),
    ("cancelled", "dweight: the weight as a factor too many", "wrong_factor wrong_variable", "dgamma = np.sum(d2 * n2,", "dgamma = np.sum(d2 * n2 * gamma,"),
    ("cancelled", "dweight and dbias swapped", "swapped", "dgamma, dbeta\n", "dbeta, dgamma\n"),
    ("cancelled", "dx: times std, not divided", "wrong_factor", "second) / (D * s.reshape(-1, 1))", "second) / D * s.reshape(-1, 1)"),
    ("steps", "dx: sign of the inverse's derivative", "sign", "-1.0 / sqrtvar", "1.0 / sqrtvar"),
    ("steps", "dx: 2 of the square forgotten", "wrong_constant", "2 * xmu * dsq", "xmu * dsq"),
    ("steps", "dx: 1/2 of the root forgotten", "wrong_constant", "0.5 / sqrtvar", "1.0 / sqrtvar"),
    ("steps", "dx: x feeds the mean too, forgotten", "fork missing_term", "dx = dx1 + dx2", "dx = dx1"),
    ("steps", "dx: xmu feeds the product too, forgotten", "fork missing_term", "dx1 = dxmu1 + dxmu2", "dx1 = dxmu2"),
    ("steps", "dx: the way through the variance overwritten", "fork missing_term", "dx1 = dxmu1 + dxmu2", "dx1 = dxmu1"),
    ("steps", "dx: 1/D of the variance's mean forgotten", "sum_mean missing_factor", "dsq = np.ones_like(dout) / D", "dsq = np.ones_like(dout)"),
    ("steps", "dx: 1/D of the mean forgotten", "sum_mean missing_factor", "dx2 = np.ones_like(dout) / D", "dx2 = np.ones_like(dout)"),
    ("steps", "dx: the square of the inverse forgotten", "wrong_factor missing_factor", "sqrtvar**2", "sqrtvar"),
    ("steps", "dx: divar summed over the batch", "wrong_axis", "divar = np.sum(dxhat * xmu, axis=-1", "divar = np.sum(dxhat * xmu, axis=0"),
    ("steps", "dweight: x - mean for xhat", "wrong_variable missing_factor", "dgamma = np.sum(dout * xhat", "dgamma = np.sum(dout * xmu"),
    ("steps", "forward: normalised over the tokens", "wrong_axis", "mu = np.sum(x, axis=-1, keepdims=True) / D", "mu = np.mean(x, axis=-2, keepdims=True)"),
    ("steps", "forward: not centred before the division", "wrong_variable missing_term", "xhat = xmu * ivar", "xhat = x * ivar"),
    ("jacobian", "dx: the weight comes after the Jacobian", "wrong_order wrong_factor", "J.T @ (weight * g[row])", "weight * (J.T @ g[row])"),
    ("jacobian", "dx: the weight forgotten", "missing_factor", "J.T @ (weight * g[row])", "J.T @ g[row]"),
    ("jacobian", "dx: 1/D of the outer product forgotten", "sum_mean missing_factor", "np.outer(z[row], z[row]) / D", "np.outer(z[row], z[row])"),
    ("jacobian", "dx: the ones forgotten", "missing_term", " - np.ones((D, D)) / D", ""),
    ("jacobian", "dx: the identity forgotten", "missing_term", "np.eye(D) - np.ones", "-np.ones"),
    ("dictionary", "dweight: x for xhat", "wrong_variable missing_term", "dw = (dout * (x - m) * r)", "dw = (dout * x * r)"),
    ("dictionary", "dweight: xhat forgotten", "missing_factor wrong_variable", "dw = (dout * (x - m) * r)", "dw = dout"),
    ("dictionary", "dx: the power of the variance", "wrong_factor wrong_constant", "r**3", "r**2"),
    ("dictionary", "dx: the whole sign", "sign", "return dx, dw, db", "return -dx, dw, db"),
    ("dictionary", "forward: weight and bias exchanged", "swapped wrong_variable", "* weight + bias", "* bias + weight"),
    ("dictionary", "forward: the root forgotten", "wrong_factor missing_factor", "np.sqrt(v + eps)", "(v + eps)"),
    ("dictionary", "the cache holds the standard deviation as variance", "wrong_cache", '"var": v,', '"var": np.sqrt(v),'),
    ("einsum", "dx: not divided by std", "missing_factor", "return dx / std", "return dx"),
    ("einsum", "dx: divided by the variance", "wrong_factor", "return dx / std", "return dx / std**2"),
    ("einsum", "dx: 1/D forgotten in the sum along xhat", "sum_mean missing_factor", "weight, xhat) / D", "weight, xhat)"),
    ("centred_twice", "dx: centred before the weight is multiplied", "wrong_order wrong_factor", "centre(dout * gain)", "centre(dout) * gain"),
    ("centred_twice", "dx: not centred", "missing_term", "g = centre(dout * gain)", "g = dout * gain"),
    ("forward", "forward: the mean's square not subtracted", "missing_term wrong_variable", "second - mu * mu + eps", "second + eps"),
    ("forward", "forward: the bias forgotten", "missing_term", "xhat * weight + bias", "xhat * weight"),
]  # fmt: skip
