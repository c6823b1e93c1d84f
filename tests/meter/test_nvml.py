"""Which cards a run is charged for, and what they say."""

import sys

import pytest

from ligera.errors import UsageError
from ligera.meter.nvml import CardReading, Cards, list_gpus, load_nvml

from .machine import PlayedCard, PlayedClock, PlayedNvml, level

TWO = (PlayedCard(level(100.0), "GPU-aaaa-1"), PlayedCard(level(200.0), "GPU-bbbb-2"))


def nvml(*cards: PlayedCard, starts: bool = True) -> PlayedNvml:
    return PlayedNvml(PlayedClock(), cards or TWO, starts=starts)


def chosen(module: PlayedNvml, wanted: list[str | int] | None = None, visible: str | None = None) -> list[str]:
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    return [card.uuid for card in Cards(module, wanted, environment, traces=()).cards]


@pytest.mark.parametrize(
    ("visible", "uuids"),
    [
        (None, ["GPU-aaaa-1", "GPU-bbbb-2"]),
        ("1", ["GPU-bbbb-2"]),
        ("1, 0", ["GPU-bbbb-2", "GPU-aaaa-1"]),
        ("GPU-bb", ["GPU-bbbb-2"]),
        ("0,-1,1", ["GPU-aaaa-1"]),
        ("0,7,1", ["GPU-aaaa-1"]),
        ("", []),
    ],
)
def test_visible_cards_are_read_as_cuda_reads_them(visible: str | None, uuids: list[str]) -> None:
    assert chosen(nvml(), visible=visible) == uuids


def test_chosen_cards_go_before_visible_ones_and_torch_may_leave_out_the_prefix() -> None:
    assert chosen(nvml(), ["bbbb-2"], visible="0") == ["GPU-bbbb-2"]
    assert chosen(nvml(), [], visible="0") == []


@pytest.mark.parametrize("wanted", ["GPU-cccc", 2, -1, ""])
def test_a_chosen_card_that_is_not_there_is_an_error_and_closes_what_was_opened(wanted: str | int) -> None:
    module = nvml()
    with pytest.raises(UsageError, match=r"no NVIDIA card is .* there are: GPU-aaaa-1, GPU-bbbb-2"):
        chosen(module, [wanted])
    assert module.opened == 0


def test_a_reading_has_units_and_none_for_what_a_card_does_not_give() -> None:
    module = nvml(PlayedCard(level(150.0), counter_scale=None))
    (reading,) = Cards(module, environment={}, traces=()).read()
    assert reading == CardReading(watts=150.0, joules=None, memory_mb=4000.0, utilisation=0.5)


def test_a_lost_card_reads_none_throughout() -> None:
    module = nvml(PlayedCard(level(150.0), lost_at_s=5.0))
    cards = Cards(module, environment={}, traces=())
    module.clock.at_s = 6.0
    assert cards.read() == (CardReading(None, None, None, None),)


def test_closing_twice_shuts_down_once() -> None:
    module = nvml()
    cards = Cards(module, environment={}, traces=())
    assert module.opened == 1
    cards.close()
    cards.close()
    assert module.opened == 0


def test_a_card_that_cannot_be_read_is_trouble_and_none_at_all_is_not() -> None:
    here, nowhere = (sys.executable,), ("/nowhere",)
    assert "pip install 'ligera[energy]'" in str(Cards(None, environment={}, traces=here).trouble)
    assert Cards(None, environment={}, traces=nowhere).trouble is None
    assert Cards(None, environment={"CUDA_VISIBLE_DEVICES": ""}, traces=here).trouble is None
    assert Cards(None, (), environment={}, traces=here).trouble is None
    assert "version mismatch" in str(Cards(nvml(starts=False), environment={}, traces=here).trouble)
    assert Cards(nvml(starts=False), environment={}, traces=nowhere).trouble is None


def test_a_slice_of_a_card_has_no_energy_of_its_own() -> None:
    cards = Cards(nvml(), environment={"CUDA_VISIBLE_DEVICES": "MIG-1234"}, traces=())
    assert cards.cards == () and "MIG" in str(cards.trouble)


def test_cards_of_several_kinds_chosen_by_number_are_remarked_on() -> None:
    module = nvml(PlayedCard(level(1.0), "GPU-a", "Big"), PlayedCard(level(1.0), "GPU-b", "Small"))
    assert Cards(module, environment={"CUDA_VISIBLE_DEVICES": "0"}, traces=()).notes
    assert not Cards(module, environment={}, traces=()).notes


def test_without_the_package_cards_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert load_nvml() is None and list_gpus() is None


def test_the_package_itself_has_all_that_is_asked_of_it() -> None:
    real = pytest.importorskip("pynvml", reason="nvidia-ml-py (extra energy) is not installed")
    asked = [name for name in dir(PlayedNvml) if name.startswith("nvml")]
    assert len(asked) == 10 and all(callable(getattr(real, name)) for name in asked)
    assert issubclass(real.NVMLError, Exception)
