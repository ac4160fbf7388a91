"""`python -m autoaug.sweep`: see `autoaug.sagemaker.sweep`."""

import sys

from autoaug.sagemaker.sweep import main

if __name__ == "__main__":
    sys.exit(main())
