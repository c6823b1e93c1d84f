"""The catalogue: names, sizes, and that it is data without torch."""

import subprocess
import sys

import pytest

from ligera.errors import UsageError
from ligera.models.catalogue import DETECTORS, build, find, names
from ligera.models.summary import summarize


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_reading_the_catalogue_loads_no_torch():
    modules = "ligera.models, ligera.models.catalogue, ligera.models.receptive, ligera.models.importing"
    result = run(f"import sys, {modules}, ligera.models.summary; print('torch' in sys.modules, 'onnx' in sys.modules)")
    assert result.stdout.split() == ["False", "False"], result.stderr


def test_building_without_torch_names_the_extra_to_install():
    result = run("import sys; sys.modules['torch'] = None\nfrom ligera.models.catalogue import build; build('face')")
    assert "MissingExtra" in result.stderr
    assert "pip install 'ligera[train]'" in result.stderr


def test_the_nets_of_the_paper_and_our_own_are_there():
    paper = {"TT3_NoSE", "R11_V2_HS", "R12_V3_HS", "J15_HS", "RetinaFace-ResNet50", "RetinaFace-mobile0.25"}
    assert set(names()) == paper | {"face", "face-small"}


def test_an_unknown_name_gets_the_nearest_one_as_a_hint():
    with pytest.raises(UsageError, match="did you mean 'R12_V3_HS'"):
        build("R12_V3")


def test_a_spec_builds_the_same_network_as_its_name():
    by_name, by_spec = build("face-small").state_dict(), build(find("face-small")).state_dict()
    assert {k: v.shape for k, v in by_name.items()} == {k: v.shape for k, v in by_spec.items()}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        # of the PyTorch RetinaFace with these two backbones that others publish
        ("RetinaFace-mobile0.25", 426_608),
        ("RetinaFace-ResNet50", 27_293_600),
        # ours and the paper's, which prints none: a change here changes what old checkpoints fit
        ("face-small", 137_284),
        ("face", 253_852),
        ("R12_V3_HS", 1_458_040),
        ("R11_V2_HS", 3_031_592),
        ("J15_HS", 1_369_016),
        ("TT3_NoSE", 38_108_616),
    ],
)
def test_parameter_counts_stay_as_published(name, parameters):
    assert summarize(name, (32, 32)).parameters == parameters


def test_our_nets_stay_under_a_megabyte_of_weights():
    assert all(summarize(name, (32, 32)).parameters * 4 < 2**20 for name in ("face", "face-small"))


@pytest.mark.parametrize("name", DETECTORS)
def test_the_papers_nets_have_its_priors_and_ours_one_per_cell(name):
    spec = DETECTORS[name]
    per_cell = {len(sizes) for sizes in spec.priors.sizes}
    assert (per_cell, spec.score_channels) == (({1}, 1) if name.startswith("face") else ({2}, 2))
