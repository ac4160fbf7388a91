"""`python -m autoaug.launch`: see `autoaug.sagemaker.launch`."""

import sys

from autoaug.sagemaker.launch import main

if __name__ == "__main__":
    sys.exit(main())
