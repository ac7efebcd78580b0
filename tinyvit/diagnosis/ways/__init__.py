"""Other ways to write the textbook's functions, as students do: one file a stem.

Each way is written step by step, a line for each step, so that a small change of one line is a
mistake that is made; `slips.py` makes these changes. FORWARD and BACKWARD (FUNCTION, where there is
only one) are tuples of functions with the textbook's signature and the textbook's cache. A forward
returns None for the cache.
"""
