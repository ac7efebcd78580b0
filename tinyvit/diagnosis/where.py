"""Where the errors sit: in some images, tokens, heads, channels only?"""

import numpy as np

ONE = {
    **{"B": "image", "N": "token", "N+1": "token", "D": "feature", "d": "feature", "h": "head"},
    **{"K": "class", "C": "channel", "H": "row", "W": "column", "M": "hidden feature"},
    **{"O": "output", "I": "input", "3D": "row"},
}


def where_wrong(got, right, letters=None, sizes=None, tolerance=1e-7):
    """Say where two arrays differ.

    got, right : arrays of one shape
    letters : of the axes: ("B", "N", "D"); None where they are not known
    sizes : dict letter -> length
    tolerance : of the largest value

    Returns a sentence: "wrong in 14 of 210 places, all of them at token 0 (the class token)".
    """
    wrong = np.abs(got - right) > tolerance * max(np.abs(right).max(), np.abs(got).max())
    count = f"wrong in {wrong.sum()} of {wrong.size} places"
    if wrong.all():
        return f"{count}: everywhere"
    letters = letters or tuple(f"axis {i}" for i in range(wrong.ndim))
    places = []
    for axis, letter in enumerate(letters):
        others = tuple(i for i in range(wrong.ndim) if i != axis)
        hit = wrong.any(axis=others)
        if not hit.all() and wrong.shape[axis] > 1:
            places.append(_among(np.flatnonzero(hit), wrong.shape[axis], letter, sizes or {}))
    return f"{count}, all of them at {' and '.join(places)}" if places else count


def _among(hit, size, letter, sizes):
    heads, width = sizes.get("h"), sizes.get("D")
    if letter in ("D", "3D") and heads and width and heads > 1:
        parts = _heads(hit, size, width // heads, heads)
        if parts:
            return parts
    one = ONE.get(letter, f"index along {letter}")
    if letter == "N+1" and list(hit) == [0]:
        return "token 0 (the class token)"
    if letter == "N+1" and list(hit) == list(range(1, size)):
        return "the patches' tokens (not the class token)"
    if list(hit) == [0, size - 1] and size > 3:
        return f"the borders: {one} 0 and {size - 1}"
    names = ", ".join(map(str, hit[:6])) + (" ..." if len(hit) > 6 else "")
    many = "es" if one.endswith("s") else "s"
    return f"{one}{many if len(hit) > 1 else ''} {names}"


def _heads(hit, size, head_dim, heads):
    """The heads, of q, k or v, that the indices fill; None where they do not fill whole ones."""
    groups = sorted({int(i) // head_dim for i in hit})
    if len(hit) != len(groups) * head_dim or len(groups) == size // head_dim:
        return None
    if size == heads * head_dim:
        return f"head{'s' if len(groups) > 1 else ''} {', '.join(map(str, groups))} of {heads}"
    parts = sorted({group // heads for group in groups})
    if len(groups) == len(parts) * heads:
        return f"the part of {' and '.join('qkv'[part] for part in parts)}"
    return ", ".join(f"head {group % heads} of {'qkv'[group // heads]}" for group in groups)
