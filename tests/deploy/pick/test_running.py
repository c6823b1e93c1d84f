"""The whole of it on a real bundle in real processes, few and short: answers, cache, kills, models that cannot run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ligera.deploy.pick import measuring
from ligera.deploy.pick.budget import Budget
from ligera.deploy.pick.running import Field, PickReport, pick
from ligera.errors import DataError, ModelError, UsageError

from ..spot_sets import write_label_set

GENEROUS = Budget(max_ms=60_000)
SHORT = {"VISITS": 2, "ROUNDS": 1, "TIMED_PICTURES": 2, "SCREENED_CALLS": 2, "MOST_REPEATED": 0}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_label_set(tmp_path_factory.mktemp("faces"))


@pytest.fixture(autouse=True, scope="module")
def _short():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SHORT.items():
            patch.setattr(measuring, name, value)
        yield


def field(*models: object, **changes: object) -> Field:
    values = {"builtin": False, "sizes": (128,), "runtimes": ("onnxruntime",), "threads": (1,)}
    return Field(tuple(str(model) for model in models), **(values | changes))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def report(bundle: Path, data: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> PickReport:
    damaged = tmp_path_factory.mktemp("damaged") / "damaged.onnx"
    damaged.write_bytes(bundle.read_bytes()[:300])
    return pick("faces", data, GENEROUS, field(bundle, damaged, "yunet:nowhere.onnx"), cache=cache)


def test_the_only_model_that_runs_wins_and_all_is_known_of_it(report: PickReport, bundle: Path) -> None:
    winner = report.choice.winner
    assert winner.candidate.facts.model == str(bundle) and winner.candidate.max_side == 128
    assert 0 < winner.accuracy.value < 1 and winner.accuracy.pictures == 2
    latency = winner.costs.latency
    assert 0 < latency.network_p50 < latency.p50 <= latency.p95 <= winner.costs.promised_ms
    assert latency.visits == 2 and latency.calls == 4
    assert winner.costs.energy_j.value > 0 and winner.euros_per_million > 0
    assert winner.peak_mb > 20 and winner.cold_start_ms > latency.p50
    assert report.measured > 0 and report.cost_s > 0


def test_models_that_cannot_be_opened_are_named_and_left_out(report: PickReport) -> None:
    reasons = " ".join(report.left_out.values())
    assert len(report.left_out) == 2
    assert "damaged.onnx: cannot be loaded" in reasons and "nowhere.onnx: no such model file" in reasons


def test_a_report_is_plain_json(report: PickReport) -> None:
    row = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert row["winner"]["command"].endswith("--max-side 128 --runtime onnxruntime --threads 1")
    assert row["answer"] and row["environment"]["device"]["processor"]


def test_another_budget_is_answered_from_the_cache(report: PickReport, bundle: Path, data: Path, cache: Path) -> None:
    again = pick("faces", data, Budget(max_ms=59_000, max_mb=50), field(bundle), cache=cache)
    assert again.measured == 0 and again.cost_s == 0 and again.cached > 0
    first, second = report.choice.winner, again.choice.winner
    assert second.costs.latency == first.costs.latency and second.accuracy == first.accuracy


def test_damaged_files_of_the_cache_are_measured_again_with_a_word(bundle: Path, data: Path, cache: Path) -> None:
    for path in (cache / "answers").iterdir():
        path.write_bytes(b"damaged")
    found = pick("faces", data, GENEROUS, field(bundle), cache=cache)
    assert found.choice.winner is not None and found.measured == 1
    assert any("1 damaged files of the cache" in text for text in found.warnings)


def test_other_threads_are_another_measurement_but_the_same_answers(bundle: Path, data: Path, cache: Path) -> None:
    found = pick("faces", data, GENEROUS, field(bundle, threads=(2,)), cache=cache)
    assert found.measured > 0 and found.cached > 0


def test_where_nothing_fits_there_is_no_winner_and_a_budget_that_would_do(
    bundle: Path, data: Path, cache: Path
) -> None:
    found = pick("faces", data, Budget(max_ms=0.001), field(bundle), cache=cache)
    assert found.choice.winner is None
    assert "--max-ms" in found.choice.enough[0]


def test_a_killed_run_goes_on_where_it_was(bundle: Path, data: Path, tmp_path: Path) -> None:
    command = ["pick", "faces", "--data", str(data), "--max-ms", "60000", "--model", str(bundle), "--no-builtin"]
    command += ["--size", "128", "--runtime", "onnxruntime", "--threads", "1", "-o", str(tmp_path / "run")]
    process = subprocess.Popen(
        [sys.executable, "-m", "ligera.cli", *command],
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    cache = tmp_path / "ligera" / "pick"
    deadline = time.monotonic() + 120
    while not list(cache.glob("answers/*.gz")) and time.monotonic() < deadline:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)
    assert not (tmp_path / "run" / "report.json").exists()
    found = pick("faces", data, GENEROUS, field(bundle), cache=cache)
    assert found.choice.winner is not None and found.cached >= 1
    assert not any("damaged" in text for text in found.warnings)


def test_a_model_that_dies_while_it_is_opened_takes_nothing_along(
    bundle: Path, data: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ligera.deploy.pick import probing

    asked = probing.WorkerProcess.ask

    def dying(self: probing.WorkerProcess, do: str, *, about: str, **command: object) -> dict:
        if about == "haar":
            self._process.kill()
        return asked(self, do, about=about, **command)

    monkeypatch.setattr(probing.WorkerProcess, "ask", dying)
    found = pick("faces", data, GENEROUS, field("haar", bundle), cache=cache)
    assert "haar: its process ended without an answer (signal 9)" in found.left_out["haar"]
    assert found.choice.winner is not None


def test_classifiers_are_picked_by_the_same_way_in_batches(classifier_bundle: Path, tmp_path: Path) -> None:
    from ..colour_sets import write_class_folders

    folders = write_class_folders(tmp_path / "data")
    found = pick("classify", folders, GENEROUS, field(classifier_bundle, batch=2), cache=tmp_path / "cache")
    assert found.choice.winner.accuracy.value == pytest.approx(5 / 6)
    assert found.choice.winner.candidate.max_side is None and found.metric == "accuracy"


def test_no_candidate_is_an_error_that_says_why(data: Path, classifier_bundle: Path, cache: Path) -> None:
    with pytest.raises(UsageError, match=r"no model to pick faces from \(.*is made for classify"):
        pick("faces", data, GENEROUS, field(classifier_bundle), cache=cache)


def test_a_batch_is_for_classifiers_alone(data: Path, bundle: Path, cache: Path) -> None:
    with pytest.raises(UsageError, match="--batch: faces go one picture at a time"):
        pick("faces", data, GENEROUS, field(bundle, batch=4), cache=cache)


def test_data_that_cannot_be_decoded_ends_everything_and_is_named(bundle: Path, tmp_path: Path, cache: Path) -> None:
    data = write_label_set(tmp_path)
    picture = data / "images" / "near" / "a.png"
    picture.write_bytes(picture.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"a\.png"):
        pick("faces", data, GENEROUS, field(bundle), cache=cache)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"runtimes": ("onnx",)}, "no runtime 'onnx'; did you mean 'onnxruntime'"),
        ({"threads": (0,)}, "--threads: expected 1 to"),
        ({"batch": 0}, "--batch: expected 1 to"),
    ],
)
def test_options_that_make_no_sense_are_refused(changes: dict, said: str) -> None:
    with pytest.raises((UsageError, ModelError), match=said):
        field("a.onnx", **changes)
