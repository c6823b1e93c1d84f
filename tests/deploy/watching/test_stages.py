from ligera.deploy.watching.stages import RECENT_FRAMES, StageClock


def test_stages_are_added_up_within_a_frame_and_their_medians_kept() -> None:
    seconds = iter([0.0, 0.010, 1.0, 1.020])
    clock = StageClock(lambda: next(seconds))
    for _ in range(2):
        with clock.stage("detect"):
            pass
    assert round(clock.newest_ms["detect"]) == 30
    clock.next_frame()
    assert clock.newest_ms == {} and round(clock.medians_ms()["detect"]) == 30


def test_a_stage_that_fails_is_timed_all_the_same() -> None:
    clock = StageClock()
    try:
        with clock.stage("detect"):
            raise ValueError
    except ValueError:
        assert "detect" in clock.newest_ms


def test_recent_medians_forget_what_was_before() -> None:
    clock = StageClock()
    for duration_ms in [100.0] * 100 + [1.0] * RECENT_FRAMES:
        clock.add("detect", duration_ms)
        clock.next_frame()
    assert clock.medians_ms()["detect"] == 100 and clock.medians_ms(recent=True)["detect"] == 1


def test_a_stage_that_happens_seldom_counts_only_where_it_happened() -> None:
    clock = StageClock()
    for number in range(10):
        clock.add("detect", 5.0)
        if number == 3:
            clock.add("recognise", 7.0)
        clock.next_frame()
    assert clock.medians_ms() == {"detect": 5.0, "recognise": 7.0}
