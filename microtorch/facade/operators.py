"""Custom ops: functions that are registered under ``torch.ops.<namespace>.<name>``.

Each is an autograd.Function whose forward runs the kernel, and whose backward is what
``register_autograd`` was given. ``apply`` takes the tensors of lists one by one, and a ``Call``
last, which remembers the lists.
"""
from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ..arrays.device import device
from ..autograd.function import Function, FunctionCtx
from ..base.errors import message, warn
from ..graph import mode, storage_of
from ..handles.inplace import check_leaf
from ..handles.tensor import Tensor
from ..kinds import trees
from ..ops.join import stack
from .op_names import REGISTRY, split
from .schemas import Schema

if TYPE_CHECKING:
    from ..base.types import Argument, Tree


class Call:
    """What the tensors of one call are parts of: the arguments, and the outputs."""

    __slots__ = ("asked", "inputs", "named", "outputs", "passed")

    def __init__(
        self, inputs: trees.Structure, named: dict[str, Argument], passed: int, asked: bool
    ) -> None:
        self.inputs, self.named = inputs, named
        self.passed = passed  # how many arguments are not at their defaults
        self.asked = asked  # is it recorded?
        self.outputs = trees.LEAF


def _whole(tree: Tree) -> bool:
    """Is this argument, or output, one leaf: no list of tensors?"""
    return not isinstance(tree, list) or not any(isinstance(t, Tensor) for t in tree)


def _tensors(tree: Tree) -> list[Tensor]:
    return [t for t in trees.flatten(tree)[0] if isinstance(t, Tensor)]


class CustomOpDef:
    """A custom op, to be called as a function; made by ``torch.library.custom_op``.

    ``direct``: its kernel is run in the open, and the ops inside are recorded, until there is a
    derivative. So it is with what ``torch.library.define`` declares. Where the kernel leaves the
    graph, by numpy, backward raises; but not of one that is ``composite``: made of ops, it says
    itself what is differentiable.
    """

    composite = False

    _backward: Callable[..., Any] | None = None
    _setup_context: Callable[..., Any] | None = None
    _vmap: Callable[..., Any] | None = None
    _fake: Callable[..., Any] | None = None

    def __init__(self, schema: Schema, direct: bool = False) -> None:
        self._qualname, self._schema, self._direct = schema.name, schema, direct
        self._namespace, self._name = split(schema.name)
        self._kernels: dict[str | None, Callable[..., Any]] = {}
        self._disabled: set[str] = set()
        for p in self._schema.parameters:
            if p.named and p.type.startswith("Tensor"):
                raise NotImplementedError(
                    message(
                        "custom_op with kwarg-only Tensor args. Please make your tensors not "
                        f"kwarg-only. Got: {self._name}{schema.text}"
                    )
                )
        self.__name__, self.__module__ = self._name, f"torch.ops.{self._namespace}"
        self._function = _function_of(self)
        REGISTRY.setdefault(self._namespace, {})[self._name] = self

    def __repr__(self) -> str:
        return f"<CustomOpDef({self._qualname})>"

    # ---- what is registered ----------------------------------------------------------------------
    def register_kernel(
        self, device_types: str | Sequence[str] | None, fn: Callable[..., Any] | None = None, /
    ) -> Callable[..., Any]:
        """Run ``fn`` for tensors of these types of device; None: for all that have no kernel.

        Without ``fn`` a decorator. ValueError where nothing in a call would say which device.
        """
        if device_types is None:
            types: list[str | None] = [None]
        else:
            given = [device_types] if isinstance(device_types, str) else device_types
            types = [device(name).type for name in given]
            parameters = self._schema.parameters
            if not any(p.type.startswith("Tensor") or p.type == "Device" for p in parameters):
                raise ValueError(
                    message(
                        "Functions without tensor inputs are required to have a `device: "
                        f"torch.device` argument: {self._schema}"
                    )
                )

        def register(fn: Callable[..., Any]) -> Callable[..., Any]:
            self._kernels |= dict.fromkeys(types, fn)
            return fn

        return register if fn is None else register(fn)

    def register_fake(self, fn: Callable[..., Any], /) -> Callable[..., Any]:
        """What says the outputs' shapes and dtypes: ``opcheck`` compares it; nothing else asks."""
        self._fake = fn
        return fn

    def register_autograd(
        self, backward: Callable[..., Any], /, *, setup_context: Callable[..., Any] | None = None
    ) -> None:
        """``backward(ctx, *grads)`` gives one gradient for each argument, a list for a list.

        ``setup_context(ctx, inputs, output)`` keeps for it what it needs; where the op has
        arguments by keyword only, it also takes ``keyword_only_inputs``. RuntimeError for an op
        that writes to its arguments.
        """
        if any(p.written for p in self._schema.parameters):
            raise RuntimeError(
                message(
                    f"Cannot register autograd formula for non-functional operator {self} with "
                    f"schema {self._schema}. Please create a functional operator and register an "
                    "autograd formula for that."
                )
            )
        self._backward, self._setup_context = backward, setup_context

    def register_vmap(self, func: Callable[..., Any] | None = None, /) -> Callable[..., Any]:
        """``func(info, in_dims, *args)`` computes a batch; it returns (output, out_dims).

        Without one the op is run for each sample.
        """
        if func is None:
            return self.register_vmap
        self._vmap = func
        return func

    @contextmanager
    def set_kernel_enabled(self, device_type: str, enabled: bool = True) -> Iterator[None]:
        """In the block the kernel of this type of device is used, or is not."""
        if device_type not in self._kernels:
            warn(f"no kernel of {self._qualname} was registered for {device_type!r}")
        before = set(self._disabled)
        (self._disabled.discard if enabled else self._disabled.add)(device_type)
        try:
            yield
        finally:
            self._disabled = before

    # ---- a call ----------------------------------------------------------------------------------
    def __call__(self, *args: Argument, **kwargs: Argument) -> Tree:
        if (proxy := _proxy(args, kwargs)) is not None:
            return proxy.tracer.create_proxy("call_function", self, args, kwargs)
        inputs, named = self._schema.bind(args, kwargs)
        asking = [t for t in _tensors(inputs) if t.node.needs] if mode.get().grad else []
        if self._direct and self._backward is None:
            result = self._dated(inputs, named)
            if self.composite or not asking or any(y.node.needs for y in _tensors(result)):
                return result
            return trees.mapped(lambda y: _Underived.apply(y, self, *asking), result)
        self._check_writes(inputs, bool(asking))
        leaves, structure = trees.flatten(inputs, lambda t: t is not inputs and _whole(t))
        call = Call(structure, named, self._schema.passed(inputs), bool(asking))
        return trees.unflatten(self._function.apply(*leaves, call), call.outputs)

    def _written(self, inputs: tuple[Argument, ...]) -> list[Tensor]:
        pairs = zip(self._schema.positional, inputs, strict=True)
        return [t for p, x in pairs if p.written for t in _tensors(x)]

    def _check_writes(self, inputs: tuple[Argument, ...], asked: bool) -> None:
        """An op that writes has no derivative: its inputs must ask for none."""
        written = self._written(inputs)
        for t in written:
            check_leaf(t, self._qualname)
        if written and asked:
            raise RuntimeError(
                message(
                    f"{self._qualname} writes to its arguments, and no gradient flows through it",
                    f"Declaration: {self._schema}",
                    fix="call it under torch.no_grad(), or write an op that returns new tensors",
                )
            )

    def _kernel(
        self, inputs: tuple[Argument, ...], named: dict[str, Argument]
    ) -> Callable[..., Any]:
        """The function for the device of the first tensor, or of an argument ``device``."""
        tensors = _tensors(inputs)
        places = [v for v in (*inputs, *named.values()) if isinstance(v, device)]
        where = tensors[0].device.type if tensors else places[0].type if places else "cpu"
        found = self._kernels.get(None if where in self._disabled else where)
        found = found or self._kernels.get(None)
        if found is None:
            raise NotImplementedError(
                message(
                    f"Could not run '{self._qualname}' with arguments from the '{where.upper()}' "
                    "backend.",
                    f"kernels: {', '.join(map(str, self._kernels)) or 'none'}",
                    fix=f'register one: torch.library.register_kernel("{self._qualname}", '
                    f'"{where}")',
                )
            )
        return found

    def _dated(self, inputs: tuple[Argument, ...], named: dict[str, Argument]) -> Tree:
        """The kernel's result, as its schema has it; what it wrote to by numpy counts as written.
        """
        stores = [storage_of(t.node) for t in self._written(inputs)]
        before = [store.version for store in stores]
        result = self._schema.returned(self._kernel(inputs, named)(*inputs, **named))
        for store, version in zip(stores, before, strict=True):
            if store.version == version:
                store.wrote(self._qualname)
        return result

    def _run(self, inputs: tuple[Argument, ...], named: dict[str, Argument]) -> Tree:
        """The same, with outputs in memory of their own: RuntimeError if they are not."""
        result = self._dated(inputs, named)
        seen = _tensors(inputs)
        for y in _tensors(result):
            if any(_shares(y, x) for x in seen):
                raise RuntimeError(
                    message(
                        f"{self._name}: The output of this custom operator (1) must not also be an "
                        "input to this custom operator and (2) may not alias any inputs to this "
                        "custom operator or other returns.",
                        fix="return a clone of it: y.clone()",
                    )
                )
            seen.append(y)
        return result

    def _no_derivative(self) -> NoReturn:
        raise RuntimeError(
            message(
                f"Trying to backward through {self._namespace}.{self._name}.default but no "
                "autograd formula was registered. Please use register_autograd to add one."
            )
        )


def _shares(y: Tensor, x: Tensor) -> bool:
    if y is x or storage_of(y.node) is storage_of(x.node):
        return True
    plain = type(y.array) is np.ndarray and type(x.array) is np.ndarray
    return plain and np.may_share_memory(y.array, x.array)


def _proxy(args: tuple[Argument, ...], kwargs: dict[str, Argument]) -> Argument:
    """A proxy among the arguments: torch.fx records the call."""
    if (fx := sys.modules.get("microtorch.fx.proxy")) is None:
        return None
    leaves = trees.flatten((args, kwargs))[0]
    return next((a for a in leaves if isinstance(a, fx.Proxy)), None)


# ---- the Function --------------------------------------------------------------------------------
@contextmanager
def _asked(ctx: FunctionCtx, call: Call) -> Iterator[None]:
    """The user's functions see ``needs_input_grad`` in the form of the arguments."""
    flat = ctx.needs_input_grad
    ctx.needs_input_grad = trees.unflatten(flat, call.inputs)
    try:
        yield
    finally:
        ctx.needs_input_grad = flat


def _function_of(op: CustomOpDef) -> type[Function]:
    """The Function of an op. It is no module's of ours: forward mode wants its ``jvp``."""

    def forward(ctx: FunctionCtx, *args: Argument) -> tuple[Argument, ...]:
        call: Call = args[-1]
        inputs = trees.unflatten(args[:-1], call.inputs)
        result = op._run(inputs, call.named)
        if op._setup_context is not None and call.asked:
            named = {"keyword_only_inputs": call.named} if call.named else {}
            with _asked(ctx, call):
                op._setup_context(ctx=ctx, inputs=inputs, output=result, **named)
        ctx._call = call
        return _outputs(result, call)

    def backward(ctx: FunctionCtx, *grads: Argument) -> tuple[Argument, ...]:
        if op._backward is None:
            op._no_derivative()
        call: Call = ctx._call
        result = trees.unflatten(grads, call.outputs)
        with _asked(ctx, call):
            given = op._backward(ctx, *(result if isinstance(result, tuple) else (result,)))
        given = given if isinstance(given, tuple) else (given,)
        n = len(call.inputs.parts)
        if len(given) < call.passed or any(g is not None for g in given[n:]):
            raise RuntimeError(
                message(
                    f"function {type(ctx._node).__name__} returned an incorrect number of "
                    f"gradients (expected {n}, got {len(given)})",
                    fix="return one for each argument, None for those without; those at the end "
                    "that have their defaults may be left out",
                )
            )
        given = (*given[:n], *(None,) * (n - len(given)))
        return (*_gradients(op, given, call.inputs), None)

    def vmap(info: Argument, in_dims: Tree, *args: Argument) -> tuple[Tree, Tree]:
        call: Call = args[-1]
        inputs = trees.unflatten(args[:-1], call.inputs)
        dims = trees.unflatten(in_dims[:-1], call.inputs)
        if op._vmap is None:
            output = _by_samples(op, info.batch_size, args[:-1], in_dims[:-1], call)
            return _outputs(output, call), 0
        given = op._vmap(info, dims, *inputs, **call.named)
        if not (isinstance(given, tuple) and len(given) == 2):
            return given  # which is refused where it arrives
        output, out_dims = given
        leaves = _outputs(output, call)
        return leaves, tuple(trees.spread_over(out_dims, trees.flatten(output)[1]) or ())

    members = {
        "forward": staticmethod(forward), "backward": staticmethod(backward),
        "vmap": staticmethod(vmap), "__module__": op.__module__,
        "node_name": f"GeneratedBackwardFor_{op._namespace}_{op._name}_defaultBackward",
        "node_rule": f"what the backward of {op._qualname} returns for it",
    }  # fmt: skip
    return type(op._qualname, (Function,), members)


class _Underived(Function):
    """An output that a kernel computed outside the graph, tied to the inputs; backward raises."""

    node_name = "NotImplemented"

    @staticmethod
    def forward(ctx: FunctionCtx, y: Argument, op: CustomOpDef, *inputs: Tensor) -> Argument:
        ctx._op = op
        return y.detach() if isinstance(y, Tensor) else y

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> NoReturn:
        op: CustomOpDef = ctx._op
        op._no_derivative()


def _outputs(result: Tree, call: Call) -> tuple[Argument, ...]:
    """The tensors of the result, whose form the call remembers."""
    flat, call.outputs = trees.flatten(result, lambda t: t is not result and _whole(t))
    return tuple(flat)


def _gradients(
    op: CustomOpDef, given: tuple[Argument, ...], inputs: trees.Structure
) -> list[Argument]:
    """One for each leaf. Raises RuntimeError where a list of tensors is not answered by one."""
    out: list[Argument] = []
    for i, (g, part) in enumerate(zip(given, inputs.parts, strict=True)):
        if part.kind is None:
            out.append(g)
        elif g is None:
            out += [None] * part.num_leaves
        elif isinstance(g, (list, tuple)) and len(g) == part.num_leaves:
            out += g
        else:
            raise RuntimeError(
                message(
                    "Expected the return from backward to be of the same structure as the inputs: "
                    f"argument {i} of {op._qualname} is a list of {part.num_leaves} tensors",
                    fix="return a list of as many gradients (or None), or None for all",
                )
            )
    return out


def _by_samples(
    op: CustomOpDef, size: int, args: tuple[Argument, ...], dims: tuple[int | None, ...],
    call: Call,
) -> Tree:  # fmt: skip
    """The op of each sample, stacked along dimension 0."""
    if any(p.written for p in op._schema.parameters):
        raise RuntimeError(
            message(
                f"vmap: {op._qualname} writes to its arguments",
                fix="say what it does with a batch: register_vmap",
            )
        )
    rows: list[list[Argument]] = []
    form = trees.LEAF
    for i in range(size):
        pairs = zip(args, dims, strict=True)
        leaves = [a if d is None else a.select(d, i) for a, d in pairs]
        result = op(*trees.unflatten(leaves, call.inputs), **call.named)
        flat, form = trees.flatten(result)
        rows.append(flat)
    stacked = [stack(column) for column in zip(*rows, strict=True)]
    return trees.unflatten(stacked, form)
