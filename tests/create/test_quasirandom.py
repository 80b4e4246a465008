"""Sobol's points: the numbers of PyTorch 2.13, in any steps."""

import pytest

import microtorch as torch

pytest.importorskip("scipy")
SobolEngine = torch.quasirandom.SobolEngine


def test_the_points_are_pytorchs():
    assert SobolEngine(2).draw(4).tolist() == [[0, 0], [0.5, 0.5], [0.75, 0.25], [0.25, 0.75]]
    assert SobolEngine(2).fast_forward(2).draw(1).tolist() == [[0.75, 0.25]]
    recorded = torch.tensor([[0.48029053, 0.11725888], [0.94978833, 0.74302024]])
    torch.testing.assert_close(SobolEngine(2, scramble=True, seed=5).draw(2), recorded)


def test_points_in_steps():
    for scramble in (False, True):
        engine = SobolEngine(3, scramble, seed=1)
        whole = engine.draw(8, dtype=torch.float64)
        engine.reset()
        parts = [engine.draw(n, dtype=torch.float64) for n in (1, 2)]
        engine.fast_forward(1)
        parts.append(engine.draw(4, dtype=torch.float64))
        assert torch.equal(torch.cat(parts), whole[[0, 1, 2, 4, 5, 6, 7]])
        assert engine.num_generated == 8
        # one point in each eighth of every dimension
        assert (whole * 8).floor().sort(0).values.T.tolist() == [[*range(8)]] * 3
    out = torch.empty(0)
    assert SobolEngine(2).draw(2, out=out) is out and out.shape == (2, 2)
    assert repr(engine) == "SobolEngine(dimension=3, scramble=True, seed=1)"


def test_what_is_refused():
    for dimension in (0, 21202):
        with pytest.raises(ValueError, match="dimensionality"):
            SobolEngine(dimension)
    engine = SobolEngine(2)
    assert engine.draw_base2(2).shape == (4, 2)
    with pytest.raises(ValueError, match="power of 2"):
        engine.draw_base2(1)
    for call in (engine.draw, engine.fast_forward):
        with pytest.raises(RuntimeError, match="the number of points is -1"):
            call(-1)
    assert engine.num_generated == 4
