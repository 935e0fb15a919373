"""`python -m artcolor` is the command `artcolor`, also for `accelerate launch -m artcolor` and torchrun."""

from artcolor.cli import main

if __name__ == "__main__":
    main()
