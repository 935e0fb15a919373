"""`python -m artcolor.train` runs `artcolor train`, for use with `accelerate launch -m artcolor.train` and torchrun."""

import sys

from artcolor.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["train"]
    main()
