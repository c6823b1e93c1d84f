"""The search for how many layers to keep in float."""

from hypothesis import given
from hypothesis import strategies as st

from ligera.deploy.quantization.search import fewest_kept


@given(st.integers(0, 200), st.integers(0, 200))
def test_the_fewest_that_hold_are_found_in_few_trials(answer: int, most: int) -> None:
    asked: list[int] = []

    def holds(count: int) -> bool:
        asked.append(count)
        return count >= answer

    found = fewest_kept(holds, most)
    assert found == (answer if answer <= most else None)
    assert all(0 <= count <= most for count in asked)
    assert len(asked) == len(set(asked)) <= 3 + 2 * most.bit_length()


def test_nothing_else_is_tried_where_no_layer_needs_to_be_kept() -> None:
    asked: list[int] = []
    assert fewest_kept(lambda count: asked.append(count) is None, 8) == 0
    assert asked == [0]
