"""One run of a function, written down from the backend's own kernels.

While a ``Recording`` is open, the CPU's backends are ``Recorder``s and the memory of every tensor
is seen as ``Recorded`` arrays (a property stands over the slot ``Tensor.array``; nobody pays for it
otherwise). All arithmetic of the package ends in a kernel or in a function of numpy, and both end
in ``Recording.call``. So forward, backward, an optimizer's step and running statistics are one list
of steps, and nothing that the library computes on raw arrays can become a constant unseen.

The run that is recorded is an ordinary run: kernels work on the real memory, and questions that a
program could not repeat are answered. They only spoil the recording (``reason``).
"""
from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import TYPE_CHECKING, cast
from weakref import ref

import numpy as np

from ..arrays import generator
from ..backends.reference import Reference
from ..engine import operands, whole
from ..engine.record import constant
from ..graph import Node, here, user_frame
from ..handles.memory import SHARE_UNSEEN, is_lent, overwrite, owner, unknown_to_share
from ..handles.tensor import Tensor
from ..kinds.level import Kind
from ..notation import formulas
from ..utils import kernels
from .asked import Asked
from .code_names import only_returned
from .effects import Effects
from .program import Leaf, Step
from .recorded import BY_DATA, Recorded
from .recorder import Lanes
from .templates import Rate, Ref, Setting
from .turns import Turn
from .values import SLOT, Values, all_recorded
from .without_data import without_data

if TYPE_CHECKING:
    from ..base.types import Array, Backend, DType, Kernel, Operand

# operators whose result is new memory, and that write to nothing
WITHOUT_WRITES = frozenset(
    "add sub mul truediv floordiv mod pow matmul neg abs lt le gt ge eq ne and_ or_ xor".split()
)
# kernels whose result has a size that follows from those of the operands
SIZED_BY_SHAPE = frozenset(
    "linear matmul sum mean softmax log_softmax nll_loss conv2d dropout_noise batch_norm "
    "layer_norm max_pool2d avg_pool2d embedding cast clone copy expand reshape transpose permute "
    "bitwise_and bitwise_or bitwise_xor isfinite isinf isnan".split()
)
AT_PLACES = frozenset({"nll_loss", "embedding"})  # those of them that may meet a wrong index
TWO_TENSORS = (
    "two tensors that it reads, as x and x.data are, have one memory, and may have two later: "
    ".clone() one"
)


def elementwise(name: str) -> bool:
    """Is a kernel's name that of an elementwise op with a formula, or of a comparison?"""
    return name in formulas.TABLE or name in formulas.COMPARISONS


class Recording(Values, Turn):
    """What runs while it ``lasts`` is written to ``program``.

    ``reason``: why it cannot be repeated, or "". ``arguments``: the tensors that the function gets;
    ``owners``: of gradients that are known before it runs, by their ids.
    """

    def __init__(
        self, name: str, arguments: Sequence[Tensor] = (), code: CodeType | None = None,
        owners: Mapping[int, Tensor] | None = None,
    ):  # fmt: skip
        super().__init__(name)
        self.reason = ""
        self.place: dict[int, int] = {id(t): i for i, t in enumerate(arguments)}
        self.arguments = arguments
        self.owners = owners or {}
        self.thread = threading.get_ident()
        self.inside = self.backward = False
        self.by_data = False  # may sizes depend on data?
        self.leaves: dict[int, Leaf] = {}  # number -> leaf
        self.nodes: dict[int, Node] = {}  # number of a leaf -> its tensor's node, before the run
        # tensors that show a leaf's memory, too, by their ids
        self.twins: dict[int, tuple[Leaf, Tensor, Node]] = {}
        self.versions: dict[int, int] = {}
        self.before: dict[int, Array] = {}  # number of a leaf -> a copy of its memory
        self.lent: list[Array] = []  # of leaves: memory that is no array's
        self.made: list[ref[Tensor]] = []  # tensors that were given memory during the run
        self.impure: set[int] = set()  # constants that a step may write to
        self.lanes = Lanes(self)
        self.code = code
        self.asked = Asked(self)
        self.effects = Effects()
        self.late: list[tuple[float, Recorded]] = []  # the numbers that it returns, in turn
        # what kernels were given of groups of optimizers: by group and key
        self.rated: dict[tuple[int, str, int | None], tuple[dict[str, Operand], Rate]] = {}
        self.numbers = set(map(id, operands.kept_numbers()))
        self.undo: list[Callable[[], None]] = []  # what else is to be changed back
        self.later: list[Callable[[], None]] = []  # and to be done when it is over
        self.hooks: list[tuple[list[Operand], Operand]] = [
            (kernels.rates, self.rate), (whole.writers, self.whole), (whole.effects, self.effect),
            (whole.readers, self.asked.known_numbers), (whole.refusals, self.refuse),
        ]  # fmt: skip

    def give_up(self, why: str) -> None:
        """What happens now cannot be repeated: remember the first reason, with the user's line."""
        if not self.reason and not self.closed:
            self.reason = f"{why}, at {here()}"

    def refuse(self, why: str) -> None:
        """The same, said by the library in this thread or another."""
        if threading.get_ident() == self.thread:
            self.give_up(why)

    # ---- values ----------------------------------------------------------------------------------
    def raw(self, array: Array) -> Recorded:
        """Memory that comes from outside the program, as a constant."""
        if array.size > 1 and any(array.strides) and not without_data():
            self.give_up("a tensor is made of data while the function runs: make it an argument")
        return self.constant(array)

    def landed(self, x: Recorded) -> Recorded:
        """A number of numpy as an array: the step that gave it gives an array from now on, or
        another step makes one, if it has been read."""
        if x.raw is x.value or self.inside or threading.get_ident() != self.thread:
            return x
        for step in reversed(self.program.steps):
            if x.number in step.reads():
                break
            if type(step.result) is Ref and step.result.number == x.number:
                step.number = True
                x.raw = x.value
                return x
        found: Recorded = self.call("numpy", "asarray", np.asarray, (x,), {})
        return found

    # ---- a number that is returned ----
    def returns_now(self) -> bool:
        """Does the recorded function itself ask, and return the answer and do nothing else with it?
        """
        frame = user_frame(sys._getframe(1))
        code = self.code
        if code is None or frame.f_code is not code or self.closed:
            return False
        return only_returned(code, frame.f_lasti)

    def late_number(self, x: Recorded) -> float | int | bool:
        """The number in ``x``, which the program returns at each call."""
        number: float = x.value.item()
        self.late.append((number, x))
        return number

    # ---- tensors ---------------------------------------------------------------------------------
    def read(self, t: Tensor) -> Array:
        """A tensor's memory: lifted into the program when it is first read."""
        array: Array = SLOT.__get__(t)
        if type(array) is Recorded or threading.get_ident() != self.thread or self.closed:
            return array
        if self.inside:
            return array
        if isinstance(array, Kind):  # a transform's, whose kernels end in those of the CPU
            if not all_recorded(array):
                self.give_up("a tensor is read of a vmap, or a forward mode, that began outside")
            return cast("Array", array)
        found = self.arrays.get(id(array))
        if found is None:
            found = self.lift(t, array)
        leaf = self.leaves.get(found.number)
        if leaf is not None and leaf.tensor is not t and not (
            leaf.kind == "argument" and id(t) in self.place  # which a key knows
        ):  # fmt: skip
            self.twin(leaf, t)
        return cast("Array", found)  # it passes for one

    def twin(self, leaf: Leaf, t: Tensor) -> None:
        """Another tensor of a leaf's memory, as w.detach() is; the leaf is the one with gradient.
        Guards see to it that they stay one, and writes to one count as writes to both."""
        if t.node.needs:
            leaf.tensor, t = t, leaf.tensor
            self.nodes[leaf.number] = leaf.tensor.node
        node, storage = t.node, t.node.storage
        self.twins[id(t)] = leaf, t, node
        if leaf.kind != "tensor" or storage is None or storage is not leaf.tensor.node.storage or (
            node.needs or node.hooks or leaf.tensor.node.hooks or leaf.tensor.node.op is not None
        ):  # fmt: skip
            self.give_up(TWO_TENSORS)

    def lift(self, t: Tensor, array: Array) -> Recorded:
        """A leaf: the memory of a tensor that was there before."""
        if id(t) in self.numbers:
            return self.constant(array)
        if t.node.dev is None or t.node.dev.device.type != "cpu":
            self.give_up(f"a tensor on {t.node.dev.device} is read")
        found = self.new(array)
        n = found.number
        kind = "argument" if id(t) in self.place else "tensor"
        leaf = Leaf(n, kind, self.place.get(id(t), -1), t, array)
        for x in self.program.leaves:
            for gradient, of in ((leaf, x), (x, leaf)):
                if of.tensor.node.grad is gradient.tensor:
                    if gradient.kind == "gradient" and gradient.place != of.number:
                        self.give_up("two tensors have one gradient: .clone() it for one of them")
                    if gradient.kind == "tensor":
                        gradient.kind, gradient.place = "gradient", of.number
        self.program.leaves.append(leaf)
        self.leaves[n] = leaf
        self.nodes[n] = t.node
        self.versions[n] = 0 if t.node.storage is None else t.node.storage.version
        self.before[n] = array.copy()
        others = self.lent if not is_lent(array) else [x.array for x in self.program.leaves]
        if unknown_to_share(array, others):
            self.give_up(SHARE_UNSEEN)
        self.lent += [array] * is_lent(array)
        if t.node.needs and t.node.op is not None and kind != "argument":
            self.give_up("a tensor is read whose graph was begun outside the function")
        if t.node.hooks:
            self.give_up("a tensor with hooks is read")
        return found

    def find_owners(self) -> None:
        """A gradient is found in its tensor at each call, for another may have taken its place:
        that tensor is a leaf, too, where no step has read it."""
        if any(x.kind != "tensor" or t.node is not n for x, t, n in self.twins.values()):
            self.give_up(TWO_TENSORS)
        for leaf in [*self.program.leaves]:
            t = self.owners.get(id(leaf.tensor))
            if t is None or leaf.kind == "gradient":
                continue
            read = next((x for x in self.program.leaves if x.tensor is t), None)
            if leaf.kind == "argument":
                if self.backward and read is not None and read.kind != "argument":
                    self.give_up("an argument is the gradient of a tensor that it reads")
                continue
            if read is None:
                self.lift(t, SLOT.__get__(t))  # which finds out that leaf is its gradient
                read = self.program.leaves[-1]
            leaf.kind, leaf.place = "gradient", read.number

    def store(self, t: Tensor, array: Array) -> None:
        """A tensor is given memory."""
        if threading.get_ident() == self.thread and not self.closed and not self.inside:
            self.made.append(ref(t))
            if type(array) is np.ndarray:
                found = self.arrays.get(id(array))
                array = cast("Array", self.raw(array) if found is None else found)
            elif type(array) is Recorded:
                array = cast("Array", self.landed(array))
        SLOT.__set__(t, array)

    # ---- steps -----------------------------------------------------------------------------------
    def lane(self, dtype: DType) -> Backend:
        """The backend for arrays of a dtype."""
        return Reference.rest.of(dtype)

    def static(self, function: Kernel, args: Operand, named: Mapping[str, Operand]) -> Operand:
        """A question about layout."""
        return function(*self.real(args), **self.real(dict(named)))

    def call(
        self, kind: str, name: str, function: Kernel, arguments: tuple[Operand, ...],
        attrs: dict[str, Operand], read: frozenset[int] | None = None,
    ) -> Operand:  # fmt: skip
        """Call ``function`` on the real arrays, and write it down.

        ``read``: the places of the arguments whose values it reads, if that is known.
        """
        real, named = self.real(arguments), self.real(attrs)
        if self.closed or self.inside or threading.get_ident() != self.thread:
            return function(*real, **named)
        given, by_name = self.template(arguments), self.template(attrs)
        if read is not None:
            given = tuple([
                x if i in read or not isinstance(x, Ref) else self.unread(x)
                for i, x in enumerate(given)
            ])  # fmt: skip
        self.inside = True
        try:
            out = function(*real, **named)
        except BaseException as e:
            self.give_up(f"{name} raises {type(e).__name__}")
            raise
        finally:
            self.inside = False
        before = len(self.program.values)
        wrapped = self.wrapped(out, name)
        fresh = len(self.program.values) > before
        if kind == "vjp" and not fresh:  # it hands on what it was given
            return wrapped
        pure = kind == "vjp" or (kind == "kernel" and elementwise(name) and "out" not in attrs)
        step = Step(name, function, given, by_name, self.template(wrapped), here(), kind)
        if not (pure or (kind == "operator" and name in WITHOUT_WRITES)):
            self.impure.update(n for n in step.reads() if n in self.program.constants)
        elif kind != "kernel":  # a view of a constant may be written to later
            shown = [id(owner(x.value)) for x in self.within(wrapped)]
            for x in self.within((arguments, attrs)):
                if x.number in self.program.constants and id(owner(x.value)) in shown:
                    self.impure.add(x.number)
        places = _kinds((real[1:], named)) if name == "getitem" else ()
        if not self.by_data and ("b" in places or name.removeprefix("np.") in BY_DATA):
            self.give_up(f"the size of {name}'s result depends on data")
        self.asked.note_writes(step, arguments, attrs)
        step.sized = not (pure or name in SIZED_BY_SHAPE or kind == "operator")
        result = next(step.gives(), None) is not None
        step.stops = bool(places) or name in AT_PLACES or (step.sized and result)
        if step.stops:
            self.asked.may_stop()
        self.program.steps.append(step)
        return wrapped

    def whole(
        self, name: str, function: Kernel, operands: tuple[Operand, ...],
        attrs: dict[str, Operand],
    ) -> Operand:  # fmt: skip
        """A part of the library as one step (engine/whole.py)."""
        if self.closed or self.inside or threading.get_ident() != self.thread:
            return function(*operands, **attrs)
        if any(isinstance(x, Tensor) and x.is_sparse for x in operands):
            self.give_up(f"{name} is given a sparse tensor")
            return function(*operands, **attrs)
        if isinstance(attrs.get("generator"), generator.Generator) and (
            attrs["generator"] is not generator.default_generator
        ):  # fmt: skip
            self.give_up("it draws from a generator of its own")
        if _holds_arrays(function):
            self.give_up(f"{name} reads a tensor among its settings")

        def on_arrays(*arrays: Operand, **attrs: Operand) -> Operand:
            return exchanged(function(*exchanged(arrays, constant), **attrs), memory)

        out = self.call("whole", name, on_arrays, exchanged(operands, memory), attrs)
        return exchanged(out, constant)

    def effect(
        self, method: Kernel, x: Operand, args: Operand, named: Operand
    ) -> Operand:
        """A method that changes Python's numbers as one step."""
        if self.closed or threading.get_ident() != self.thread:
            return method(x, *args, **named)
        self.effects.about(x)
        if self.inside:
            return method(x, *args, **named)
        name = f"{type(x).__name__}.{method.__name__}"
        self.program.steps.append(
            Step(name, method, (x, *args), dict(named), None, here(), "effect")
        )
        self.inside = True
        try:
            return method(x, *args, **named)
        finally:
            self.inside = False

    # ---- open and close --------------------------------------------------------------------------
    def change(self) -> None:
        """Let the backends and Tensors tell this recording what happens."""
        self.lanes.open()
        # the slot lies in Handle; the property in Tensor hides it
        for hooks, mine in self.hooks:
            hooks.append(mine)
        setattr(Tensor, "array", property(self.read, self.store))  # noqa: B010

    def restore(self) -> None:
        """Give the backends back their classes and kernels, and Tensor its slot."""
        for change in self.undo:
            change()
        if "array" in vars(Tensor):
            delattr(Tensor, "array")
        for hooks, mine in self.hooks:
            if mine in hooks:
                hooks.remove(mine)
        self.lanes.close()

    def after(self) -> None:
        """Give real memory to what lives on."""
        self.lanes.clean()
        for work in self.later:
            work()
        self.unwrap([t for t in (r() for r in self.made) if t is not None])

    def overwrite(self, x: Recorded, values: Operand) -> None:
        """Write to all of an array, which numpy may have locked because it was expanded."""
        if x.value.flags.writeable:
            x[...] = values
        else:
            self.call("numpy", "overwrite", overwrite, (x, values), {})

    def rate(self, group: dict[str, Operand], key: str, i: int | None) -> float:
        """A kernel's learning rate: the program reads it from the group at each call."""
        x = group[key] if i is None else group[key][i]
        value = float(self.real(SLOT.__get__(x)) if isinstance(x, Tensor) else x)
        if threading.get_ident() != self.thread or (key != "lr" and not value):
            return value  # where it is 0, a program does less
        found = self.rated.get((id(group), key, i))
        held = group if key == "lr" else Setting(group, key, i) if found is None else found[1].group
        made = Rate.of(held, value)
        self.rated[id(group), key, i] = (group, made)
        return made

    def array(self, x: Operand, *more: Operand) -> Operand:
        """What a backend's ``array`` does: memory of this backend with these elements."""
        if type(x) is Recorded:
            return x.value if self.closed else self.landed(x)
        x = np.asarray(x, *more)
        if self.closed or self.inside or threading.get_ident() != self.thread:
            return x
        found = self.arrays.get(id(x))
        return self.raw(x) if found is None else found


def memory(t: Tensor) -> Array:
    """A tensor's array."""
    return t.array


def exchanged(x: Operand, by: Kernel) -> Operand:
    """An operand with arrays for tensors, or the other way round."""
    if isinstance(x, (tuple, list)):
        return type(x)([exchanged(y, by) for y in x])
    return by(x) if isinstance(x, (Tensor, np.ndarray, Recorded)) else x


def _holds_arrays(function: Operand) -> bool:
    """Does a function made on the spot hold an array, or a tensor, of what is around it?"""
    for cell in getattr(function, "__closure__", None) or ():
        x = cell.cell_contents
        if isinstance(x, (Tensor, np.ndarray, Recorded)) or _holds_arrays(x):
            return True
    return False


def _kinds(given: Operand) -> set[str]:
    """The kinds of numbers in the arrays among the operands, as an index."""
    if isinstance(given, dict):
        given = tuple(given.values())
    if isinstance(given, (tuple, list)):
        return {kind for x in given for kind in _kinds(x)}
    return {given.dtype.kind} if isinstance(given, np.ndarray) else set()
