"""Study ``mtcnn-parallel``: its settings -> its report."""

from __future__ import annotations

from pathlib import Path

from ligera.deploy.export.cascade_runs import export_runs
from ligera.studies.mtcnn_parallel import plan, tables
from ligera.studies.mtcnn_parallel.proposals import Proposed, judge, judged_samples
from ligera.studies.report import Report
from ligera.studies.trials import Listener, Outcome, place

Settings, QUICK = plan.Settings, plan.QUICK
TRAINED = "with negatives"


def study(settings: plan.Settings, folder: Path, tell: Listener | None = None) -> Report:
    """Train what is missing in ``folder``, see what its networks propose, set the paper's tables beside ours."""
    # A wrong folder or bundle is said before hours of training.
    with_faces, without = judged_samples(settings.judged or settings.data, settings.judged_pictures)
    # Not every validation folder has pictures without faces.
    samples = with_faces, without or judged_samples(settings.data, settings.judged_pictures)[1]
    judged: dict[str, Proposed] = {}
    trained = None
    if settings.p_net is not None:
        trained = judge(settings.p_net, samples, settings.score, settings.nms_iou)
    runs = plan.run(settings, folder, tell)
    for batch in settings.batches:
        bundle = _bundle(next(run for one, run in runs.items() if one.batch == batch))
        judged[f"batch {batch}"] = judge(bundle, samples, settings.score, settings.nms_iou)
    if trained is not None:
        judged[TRAINED] = trained
    where = place(settings.threads, settings.precision)
    shown = (
        tables.epochs_table(runs, where),
        tables.speed_table(runs),
        tables.learnt_table(settings, runs),
        tables.proposals_table(settings, judged),
    )
    said = tables.verdict(runs, judged, TRAINED if trained is not None else None)
    return Report("Training P-Net, paper A's way", shown, tuple(said), ())


def _bundle(run: Outcome) -> Path:
    path = run.folder / "p-net.onnx"
    export_runs([run.folder], path)
    return path
