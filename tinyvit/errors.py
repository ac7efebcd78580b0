"""The one exception that means: the user can mend this."""


class InputError(ValueError):
    """A user's mistake or a bad file; the text says what was wrong and what to do.

    The command line prints it as one line and ends with exit status 2.
    """
