"""`python -m artcolor.train` is `artcolor train`, for `accelerate launch -m artcolor.train` and torchrun."""

import sys

from artcolor.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["train"]
    main()
