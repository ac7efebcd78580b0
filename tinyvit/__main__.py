"""`python -m tinyvit` is the command `tinyvit`."""

import sys

from .cli import main

sys.exit(main())
