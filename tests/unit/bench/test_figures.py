"""What a figure says of its samples."""

from __future__ import annotations

import pytest

from tests.bench.figures import Figure, Kind, Samples, Target, quantile


def make_figure(
    *ours: float, peer: tuple[float, ...] | None = None, target: Target | None = None
) -> Figure:
    return Figure(
        row="loop",
        name="CPU",
        unit="ms",
        ours=Samples(ours),
        peer=None if peer is None else Samples(peer),
        target=target,
    )


def test_a_ratio_is_of_the_best_of_both_sides() -> None:
    """Noise only adds: the rounds that it hit do not count, whichever side they belong to."""
    figure = make_figure(4, 90, 5, peer=(70, 2, 2), target=Target(Kind.RATIO, 2))
    assert figure.ratio == 2
    assert figure.is_met
    assert not make_figure(5, peer=(2,), target=Target(Kind.RATIO, 2)).is_met


def test_a_median_ratio_is_of_the_rounds() -> None:
    figure = make_figure(4, 9, 5, peer=(4, 3, 1), target=Target(Kind.MEDIAN_RATIO, 3))
    assert figure.held == 3
    assert figure.is_met


def test_a_difference_is_the_median_of_the_rounds() -> None:
    figure = make_figure(3, 9, 4, peer=(2, 1, 2), target=Target(Kind.DIFFERENCE, 2))
    assert figure.held == 2


def test_a_value_is_the_median_of_the_rounds() -> None:
    figure = make_figure(1, 16, 15, target=Target(Kind.VALUE, 15))
    assert figure.held == 15
    assert figure.is_met


def test_only_an_enforced_target_fails_the_run() -> None:
    assert make_figure(2, target=Target(Kind.VALUE, 1, is_enforced=True)).fails
    assert not make_figure(2, target=Target(Kind.VALUE, 1)).fails
    assert not make_figure(2).fails


def test_ratios_are_taken_within_a_round() -> None:
    ratios = make_figure(4, 9, peer=(2, 3)).ratios
    assert ratios is not None
    assert ratios.values == (2, 3)


def test_sides_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="same number of rounds"):
        make_figure(1, 2, peer=(1,))


def test_a_ratio_without_a_peer_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a peer"):
        make_figure(1, target=Target(Kind.RATIO, 1))


def test_no_rounds_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one round"):
        Samples(())


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1, 100), (0.001, 1)])
def test_a_quantile_is_one_of_the_values(share: float, expected: float) -> None:
    assert quantile(range(1, 101), share) == expected
