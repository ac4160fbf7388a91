"""`python -m autoaug.report`"""

import sys

from autoaug.report.build import main

sys.exit(main())
