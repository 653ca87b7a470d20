"""`python -m edgetpu_build` is `edgetpu-build`."""

import sys

from edgetpu_build.cli import main

if __name__ == "__main__":
    sys.exit(main())
