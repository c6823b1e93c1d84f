"""What is swept and what a wrong setting is answered."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ligera.errors import LigeraError
from ligera.studies.manuscripts import study as manuscripts
from ligera.studies.manuscripts.cases import BASE, PAPER_CASES, STEPS, Case, read_name
from ligera.studies.manuscripts.paper import TOPICS
from ligera.studies.manuscripts.settings import QUICK, Settings
from ligera.studies.running import read_settings


def read(pages: Path, *overrides: str) -> Settings:
    found = read_settings("manuscripts", manuscripts, (f"data={pages}", *overrides), quick=False)
    assert isinstance(found, Settings)
    return found


def test_without_a_word_it_is_the_cases_of_the_paper(settings: Callable[..., Settings]) -> None:
    assert settings().cases() == PAPER_CASES
    assert settings().usual_base() == BASE
    assert len(set(PAPER_CASES)) == len(PAPER_CASES) == 25


def test_each_case_of_a_table_is_one_of_the_sweep() -> None:
    assert {case for topic in TOPICS for case in topic.cases} == set(PAPER_CASES)


def test_a_case_and_its_seed_read_back_from_the_name_of_the_trial() -> None:
    for case in (*PAPER_CASES, Case("layout-small", 7, "75", 1)):
        assert read_name(case.trial(12)) == (case, 12)
    assert read_name("something-else") is None


def test_what_is_named_is_combined_and_the_rest_is_the_papers_choice(settings: Callable[..., Settings]) -> None:
    cases = settings(backbones="vovnet-39,resnet-101", epochs=[10, 20]).cases()
    assert cases[0] == Case("VoVNet-39", 10, STEPS[0], 2)
    assert {(case.backbone, case.epochs) for case in cases} == {
        (name, epochs) for name in ("VoVNet-39", "ResNet-101") for epochs in (10, 20)
    }
    assert {(case.steps, case.batch) for case in cases} == {(STEPS[0], 2)}


def test_lists_are_read_however_they_are_spelled(pages: Path) -> None:
    found = read(pages, "backbones=[ResNet-31, resnet-31]", "epochs=3,5", "steps=40/70,75", "batch=2")
    assert found.backbones == ("ResNet-31",)
    assert found.epochs == (3, 5)
    assert found.steps == ("40/70", "75")
    assert found.batch == (2,)
    assert read(pages, "steps=75.00/90").steps == ("75/90",)
    assert Case("x", 1, "66.66/88.88", 1).step_at == (0.6666, 0.8888)


def test_backbones_may_be_called_as_in_the_papers_tables(settings: Callable[..., Settings]) -> None:
    found = settings(backbones="resnet 50, VOVNET19L,vovnet-39")
    assert found.backbones == ("ResNet-50a", "VoVNet-19-lite", "VoVNet-39")


def test_the_quick_settings_are_settings(pages: Path) -> None:
    found = Settings.model_validate(QUICK | {"data": pages})
    assert [case.backbone for case in found.cases()] == ["VoVNet-19-lite", "ResNet-31"]
    assert found.quick


def test_what_may_change_between_commands_is_no_part_of_what_binds_a_folder(
    settings: Callable[..., Settings],
) -> None:
    free = {"backbones": "ResNet-31", "epochs": 3, "seeds": 4, "slice_minutes": 20, "base": "x", "tariff": 0.3}
    assert settings(**free).model_dump() == settings().model_dump()
    assert settings(side_px=192).model_dump() != settings().model_dump()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("backbones=ResNet-51", "did you mean 'ResNet-50a'"),
        ("backbones=VovNet_39", "did you mean 'VoVNet-39'"),
        ("backbones=[]", "expected one or more"),
        ("backbones=5", "no backbone is called '5'"),
        ("backbones={a: b}", "backbones"),
        ("step_backbones=resnt-31", "did you mean 'ResNet-31'"),
        ("epochs=0", "epochs"),
        ("epochs=-3", "epochs"),
        ("epochs=true", "epochs"),
        ("epochs=2.5", "epochs"),
        ("epochs=many", "epochs"),
        ("epochs=[[1]]", "epochs"),
        ("batch=0", "batch"),
        ("steps=70/40", "rising percents"),
        ("steps=0.4/0.7", "look like shares"),
        ("steps=40/100", "rising percents"),
        ("steps=nan", "rising percents"),
        ("steps=soon", "rising percents"),
        ("seeds=0", "seeds"),
        ("slice_minutes=0", "slice_minutes"),
        ("slice_minutes=.inf", "slice_minutes"),
        ("learning_rate=0", "learning_rate"),
        ("tariff=24.6", "tariff"),
        ("side_px=64", "side_px"),
        ("optimizer=adam", "optimizer"),
        ("epoch=3", "did you mean 'epochs'"),
        ("slice_minute=3", "did you mean 'slice_minutes'"),
        ("data=/nowhere/at/all", "no such folder"),
        ("validation=/nowhere/at/all", "no such file or folder"),
    ],
)
def test_a_wrong_setting_is_answered_in_one_line(pages: Path, override: str, words: str) -> None:
    with pytest.raises(LigeraError, match=words) as caught:
        read(pages, override)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_folder_without_its_parts_is_told_what_belongs_in_it(pages: Path) -> None:
    with pytest.raises(LigeraError, match=r"no 'train'.*validation="):
        read(pages, f"data={pages / 'train'}")
    assert read(pages, f"data={pages / 'train'}", f"validation={pages / 'val'}").training_pages == pages / "train"
