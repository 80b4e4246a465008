"""A complex number as a pair of Scalars, with the methods that kernels call on the Expansion."""

from __future__ import annotations

from typing import TypeAlias

from microtorch.handles.scalar import Scalar

Number: TypeAlias = "Pair | Scalar | complex"
Part: TypeAlias = "Scalar | float"  # a float is a constant: 0.0 where there is no such part


def _call(name: str, x: Part, *more: Part) -> Part:
    """The op ``name`` of parts, one of which may be a Scalar."""
    if not any(isinstance(v, Scalar) for v in (x, *more)):
        made: float = getattr(Scalar, name)(Scalar(float(x), requires_grad=False), *more).data
        return made
    first = x if isinstance(x, Scalar) else Scalar(float(x), requires_grad=False)
    out: Scalar = getattr(Scalar, name)(first, *more)
    return out


def _times(a: Part, b: Part) -> Part:
    return 0.0 if _zero(a) or _zero(b) else a * b


def _plus(a: Part, b: Part) -> Part:
    return b if _zero(a) else a if _zero(b) else a + b


def _zero(a: Part) -> bool:
    return isinstance(a, float) and a == 0


class Pair:
    """``re`` + i ``im``."""

    __slots__ = ("im", "re")

    def __init__(self, re: Part, im: Part = 0.0):
        self.re, self.im = re, im

    @staticmethod
    def of(x: Number) -> Pair:
        if isinstance(x, Pair):
            return x
        return Pair(x) if isinstance(x, Scalar) else Pair(complex(x).real, complex(x).imag)

    # ---- arithmetic ------------------------------------------------------------------------------
    def add(self, other: Number) -> Pair:
        b = Pair.of(other)
        return Pair(_plus(self.re, b.re), _plus(self.im, b.im))

    def neg(self) -> Pair:
        return Pair(_times(-1.0, self.re), _times(-1.0, self.im))

    def sub(self, other: Number) -> Pair:
        return self.add(Pair.of(other).neg())

    def mul(self, other: Number) -> Pair:
        b = Pair.of(other)
        cross = _plus(_times(self.re, b.im), _times(self.im, b.re))
        real = _plus(_times(self.re, b.re), _times(-1.0, _times(self.im, b.im)))
        return Pair(real, cross)

    def _size(self) -> Part:
        return _plus(_times(self.re, self.re), _times(self.im, self.im))

    def reciprocal(self) -> Pair:
        size = self._size()
        return Pair(self.re / size, _times(-1.0, self.im) / size)

    def div(self, other: Number) -> Pair:
        return self.mul(Pair.of(other).reciprocal())

    def square(self) -> Pair:
        return self.mul(self)

    def pow(self, other: Number) -> Pair:
        b = Pair.of(other)
        if isinstance(b.re, float) and _zero(b.im) and b.re in (1.0, 2.0, 3.0, 4.0):
            out = self
            for _ in range(int(b.re) - 1):
                out = out.mul(self)
            return out
        return self.log().mul(b).exp()

    __add__ = __radd__ = add
    __mul__ = __rmul__ = mul
    __sub__, __truediv__, __neg__, __pow__ = sub, div, neg, pow

    def __rsub__(self, other: Number) -> Pair:
        return Pair.of(other).sub(self)

    def __rtruediv__(self, other: Number) -> Pair:
        return Pair.of(other).div(self)

    # ---- functions -------------------------------------------------------------------------------
    def conj(self) -> Pair:
        return Pair(self.re, _times(-1.0, self.im))

    conjugate = conj

    def abs(self) -> Part:
        """Its derivative at 0 is 0: there the root is that of 1, and is multiplied by 0."""
        size = self._size()
        there = _call("sgn", size)
        return _times(there, _call("sqrt", size + (1.0 - there)))

    __abs__ = abs

    def angle(self) -> Part:
        return _call("atan2", self.im, self.re)

    def exp(self) -> Pair:
        size = _call("exp", self.re)
        return Pair(_times(size, _call("cos", self.im)), _times(size, _call("sin", self.im)))

    def log(self) -> Pair:
        return Pair(_times(0.5, _call("log", self._size())), self.angle())

    def sqrt(self) -> Pair:
        return self.log().mul(0.5).exp()

    def sinh(self) -> Pair:
        return self.exp().sub(self.neg().exp()).mul(0.5)

    def cosh(self) -> Pair:
        return self.exp().add(self.neg().exp()).mul(0.5)

    def tanh(self) -> Pair:
        return self.sinh().div(self.cosh())

    def sigmoid(self) -> Pair:
        return self.neg().exp().add(1.0).reciprocal()

    def sin(self) -> Pair:
        return self.mul(1j).sinh().mul(-1j)

    def cos(self) -> Pair:
        return self.mul(1j).cosh()

    def tan(self) -> Pair:
        return self.sin().div(self.cos())
