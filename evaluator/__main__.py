"""`python -I -m evaluator`: what the command nocturne-evaluator runs."""

import sys

from evaluator.cli import main

sys.exit(main())
