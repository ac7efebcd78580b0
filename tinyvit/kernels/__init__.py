"""Fast drop-ins for the pairs of `ops/`: the same names, signatures and results, harder to read.

Nothing here is needed to understand a Vision Transformer: every function names the textbook's
that it replaces, and `tests/test_kernels.py` holds it to that one, values and gradients.
"""
