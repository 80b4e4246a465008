"""`viz.memory`: what lives where, and the picture of it."""

from itertools import combinations

import pytest
from microtorch.viz.reading.places import places
from small_programs import PROGRAMS, boxes, clashes, moons, overlap, texts, transformer

from microtorch import viz

pytestmark = pytest.mark.needs("compiler", "dot")


@pytest.fixture(params=PROGRAMS)
def f(request):
    return PROGRAMS[request.param]()


# ---- memory --------------------------------------------------------------------------------------
def test_no_two_living_values_share_bytes(f):
    found = places(f, "memory")
    for band in found.bands:
        for a, b in combinations(band.rects, 2):
            if a.first <= b.last and b.first <= a.last:
                assert a.start + a.size <= b.start or b.start + b.size <= a.start, (a, b)
        assert all(r.start + r.size <= band.size for r in band.rects)


def test_each_value_lives_as_long_as_it_is_read(f):
    found = places(f, "memory")
    living = {}
    for band in found.bands:
        for r in band.rects:
            if r.held is not None:
                living[r.held.number] = (r.first, r.last)
    given = {h.number for h in found.account.given}
    for p in found.parts:
        for h in [*p.reads, *p.gives]:
            if h.number in living:
                first, last = living[h.number]
                assert first <= p.number <= last, (h.name, p.ops)
            else:
                assert h.number in given or h.role == "constant", h.name


def test_sizes_are_those_of_the_values(f):
    for band in places(f, "memory").bands:
        for r in band.rects:
            if r.held is not None:
                assert r.held.size <= r.size < r.held.size + 64, r.name


def test_the_picture_of_memory_says_what_the_plan_says(f):
    plan = viz.memory(f)
    svg = plan.pipe("svg").decode()
    found, every = boxes(svg, "rect-"), [r for b in plan.places.bands for r in b.rects]
    assert sorted(n for n, _ in found) == sorted(r.name for r in every)
    assert not [(a, b) for (a, p), (b, q) in combinations(found, 2) if overlap(p, q, 1.3)]
    bars = {int(n): b for n, b in boxes(svg, "held-")}
    longest = max(bars, key=lambda k: bars[k][2])
    assert plan.places.held[longest] == plan.peak == max(plan.places.held)
    words = texts(svg)
    assert not clashes(svg)
    assert any(w.startswith("peak") for w in words)
    for name, box in found:
        if box[2] - box[0] > 90 and box[3] - box[1] > 30:
            assert any(name.startswith(w.rstrip("…")) for w in words), name


def test_places_are_used_again():
    (block,) = [b for b in places(moons(), "memory").bands if b.kind == "block"]
    values = [r for r in block.rects if r.held is not None]
    assert len({r.start for r in values}) < len(values)
    assert sum(r.size for r in values) > block.size


def test_the_block_has_no_room_for_variables_of_a_loop():
    """What a fused loop makes and only itself reads lies nowhere."""
    f = moons()
    (runner,) = f.entry.runners.values()
    rooms = runner.text.memory.rooms
    assert {*rooms, *runner.text.memory.stack} <= runner.text.declared
    assert runner.block == 3 * 6400 + 4 * 100 * 4  # four parts of each sum of a column


def test_what_eager_holds_is_more_than_its_largest_values():
    plan = viz.memory(transformer())
    sizes = [r.held.size for b in plan.places.bands for r in b.rects if r.held is not None]
    assert plan.eager_peak > max(sizes)
    assert "eager" in str(plan)


def test_a_program_lets_the_recorded_arrays_go():
    f = moons()
    assert not f.entry.plan.arrays
    assert not f.entry.whole.arrays
