"""The most accurate model that keeps a budget on this machine, proven by measuring, with a report page.

python examples/pick.py [FOLDER]

One call does the same: ligera pick faces --data DIR --max-ms 50
"""

import sys
from pathlib import Path

from drawn import discs

from ligera.deploy.pick.budget import Budget
from ligera.deploy.pick.folder import write_report
from ligera.deploy.pick.running import Field, pick


def main(folder: Path) -> None:
    data = discs(folder / "discs", pictures=3)
    field = Field(models=("face-small",), builtin=False, sizes=(96,), runtimes=("onnxruntime",), threads=(1,))
    report = pick("faces", data, Budget(max_ms=50), field, cache=folder / "cache")
    words = report.words()
    print("\n".join([words.answer, *words.details, *words.footing]))
    print(f"-> {write_report(report, folder / 'report')}")


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples/pick")
    place.mkdir(parents=True, exist_ok=True)
    main(place)
