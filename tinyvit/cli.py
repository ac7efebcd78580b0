"""The command `tinyvit`: reads the command line and hands over to `commands/`."""

import argparse
import os
import sys
import warnings

from . import __version__
from .commands import (
    bench,
    check,
    convert,
    eval,
    exercise,
    gradcheck,
    lesson,
    predict,
    summary,
    train,
)
from .errors import InputError

COMMANDS = (
    *(lesson, exercise, check, train, eval, predict),
    *(convert, summary, gradcheck, bench),
)


def main(argv=None):
    """Run the command line.

    argv : the words after `tinyvit`; None takes the process's own

    Returns the exit status: 0 done, 1 the check or the training failed, 2 bad usage or bad input,
    130 stopped by Ctrl-C. A user's mistake is one line on stderr, never a traceback.
    """
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            status = _status(argv)
        sys.stdout.flush()  # a closed pipe shows here, not after the end
        return status
    except InputError as error:
        return _complain(error)
    except BrokenPipeError:  # as in `tinyvit summary digits | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _complain(f"{error.filename}: {error.strerror}" if error.filename else error)
    except MemoryError as error:
        return _complain(f"not enough memory ({error}): take a smaller model or batch")
    except KeyboardInterrupt:
        print("tinyvit: stopped", file=sys.stderr)
        return 130


def _status(argv):
    try:
        args = _parser().parse_args(argv)
    except SystemExit as done:  # argparse has shown its help, or complained
        return done.code
    return args.run(args)


def _complain(error):
    _say(error)
    return 2


def _warn(message, *place, **more):
    _say(message)


def _say(message):
    print(f"tinyvit: {' '.join(str(message).split())}", file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    """An argparse parser whose complaint is one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message} ({self.prog} --help shows an example)\n")


def _parser():
    parser = _Parser(
        prog="tinyvit",
        description="A Vision Transformer from scratch: train it, look into it, check it.",
        epilog="example: tinyvit train",
    )
    parser.add_argument("--version", action="version", version=f"tinyvit {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2]
        about = command.__doc__.partition(": ")[2].partition("\n")[0].rstrip(".")
        subparser = subparsers.add_parser(
            name,
            help=about,
            description=about[0].upper() + about[1:],
            epilog=command.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser
