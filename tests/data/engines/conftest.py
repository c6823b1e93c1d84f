"""Work that other processes can import too: the path of this folder goes to them with everything else."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "cluster")]
