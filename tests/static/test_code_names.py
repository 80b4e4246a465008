"""The names that a function's text reads, which guards watch."""

import dis

from microtorch.static.code_names import attributes_of, globals_of, imported_by, names_of

NOWHERE = None


class Point:
    __match_args__ = ("x",)

    def __init__(self, given):
        self.written = given.read

    def reads(self):
        import math

        def inner():
            return self.deep.down

        return inner, NOWHERE, math.pi

    def matches(self):
        match self:
            case Point(x):
                return x


def test_names_of_globals_attributes_and_imports():
    code = Point.reads.__code__
    assert globals_of(code) == {"NOWHERE"} and imported_by(code) == {"math"}
    assert attributes_of(code) == {"deep", "down", "pi"}
    assert names_of(code) == {"NOWHERE", "math", "deep", "down", "pi"}


def test_what_init_only_writes_is_left_out():
    assert names_of(Point.__init__.__code__) == {"read"}


def test_a_pattern_of_a_class_reads_the_names_of_its_parts():
    assert names_of(Point.matches.__code__) == {"Point", "__match_args__"}


def test_a_text_is_looked_at_once(monkeypatch):
    """Recording asks it of all functions that it can reach, those of the package among them."""
    asked, listed = [], dis.get_instructions
    monkeypatch.setattr(dis, "get_instructions", lambda code: asked.append(code) or listed(code))

    def fresh(x):
        return x.never_seen_before + NOWHERE

    for _ in range(3):
        assert names_of(fresh.__code__) == {"never_seen_before", "NOWHERE"}
        assert attributes_of(fresh.__code__) == {"never_seen_before"}
    assert len(asked) == 1
