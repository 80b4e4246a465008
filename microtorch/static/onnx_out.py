"""A program as an ONNX model: ``torch.onnx.export``. Needs the package onnx.

The steps are those of one run under ``no_grad``; onnx_writer.py makes nodes of them.
"""
from __future__ import annotations

import copy
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import IO, TYPE_CHECKING

import numpy as np

from ..arrays import dtypes
from ..autograd.grad_mode import no_grad
from ..base.errors import message, warn
from ..handles.tensor import Tensor
from ..nn.layers.rnn import spelt_out
from ..nn.modes import modes_kept
from ..nn.module import Module
from .compiled import Compiled
from .keys import structure
from .onnx_drawn import DRAWING
from .onnx_in import FIXED
from .onnx_sizes import Sized, Unlike, symbols
from .onnx_writer import OPSET, Writer, onnx_package
from .script import script, trace
from .templates import Ref

if TYPE_CHECKING:
    from ..base.types import Array, DType, Operand, Shape


def export(
    model: Operand, args: Operand = (), f: str | os.PathLike[str] | IO[bytes] | None = None,
    kwargs: Mapping[str, Operand] | None = None, *, export_params: bool = True,
    verbose: bool | None = None, input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None, opset_version: int | None = None,
    dynamic_axes: Mapping[str, Operand] | None = None, **more: Operand,
) -> None:  # fmt: skip
    """Write a Module, or a function, as it computes on ``args`` (a tensor, or a tuple of them).

    A Module is put in eval mode for it. ``dynamic_axes`` {name: [axes] or {axis: name}} says which
    sizes may differ; the model is then also run on other sizes, by onnx's own evaluator, and must
    agree. ``opset_version`` is 18 or later; for an earlier one 18 is written, with a warning. The
    other arguments of PyTorch's are accepted without effect. RuntimeError names an operation that
    ONNX does not have, or not for these dtypes, with its line; ValueError, names that do not fit.
    """
    given = (args,) if isinstance(args, Tensor) else tuple(args)
    if kwargs or not all(isinstance(x, Tensor) for x in given):
        raise TypeError(message("torch.onnx.export takes tensors, as positional arguments"))
    given = tuple(x.detach().clone() for x in given)  # one given twice is still two inputs
    if f is None:
        raise TypeError(message("torch.onnx.export needs a file: f='model.onnx'"))
    with no_grad(), modes_kept(model) if isinstance(model, Module) else nullcontext():
        if isinstance(model, Module):
            model.eval()
        names = input_names, output_names, opset_version, dynamic_axes or {}
        made, by_data = built(model, given, *names)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a trial
            if by_data:
                agree_on_data(made, by_data, model, given)
            if dynamic_axes:
                try:
                    agree(made, model, given, dynamic_axes)
                except RuntimeError:
                    made = sized(made, model, given, *names)
                    agree(made, model, given, dynamic_axes)
    if isinstance(f, (str, os.PathLike)):
        with open(f, "wb") as file:
            file.write(made.SerializeToString())
    else:
        f.write(made.SerializeToString())


def built(
    model: Operand, given: tuple[Tensor, ...], input_names: Sequence[str] | None,
    output_names: Sequence[str] | None, opset: int | None, dynamic: Mapping[str, Operand],
) -> tuple[Operand, list[str]]:  # fmt: skip
    """The model, as an object of the package onnx, checked; and its values whose number of elements
    depends on data.
    """
    onnx = onnx_package()
    made = script(model)
    compiled: Compiled = vars(made)["_compiled"] if isinstance(made, Module) else made
    compiled.use_c, compiled.by_data = False, True
    with spelt_out():
        trace(made, given)
    entry = compiled.last()[0]
    if entry.written or any(o.kind == "number" for o in entry.outputs):
        raise RuntimeError(message("torch.onnx.export: the model writes to its memory",
                                   fix="call model.eval() first"))  # fmt: skip
    named: dict[int, str] = {}
    if isinstance(model, Module):
        named = {id(t): n for n, t in [*model.named_parameters(), *model.named_buffers()]}
    inputs, outputs = called("input", input_names, given), called("output", output_names,
                                                                  entry.outputs)  # fmt: skip
    every = [*inputs, *outputs, *named.values()]
    if twice := [n for n in {*inputs, *outputs} if every.count(n) > 1]:
        raise ValueError(message(
            f"torch.onnx.export: {twice[0]!r} names more than one value",
            "inputs, outputs and the tensors of the model are called by different names",
            fix="other input_names and output_names"))  # fmt: skip
    ranks = dict(zip([*inputs, *outputs], [t.ndim for t in (*given, *[o.tensor for o in
                                                             entry.outputs])], strict=True))
    for key, axes in dynamic.items():
        if any(not -ranks.get(key, i + 1) <= i < ranks.get(key, i + 1) for i in axes):
            raise ValueError(message(
                f"torch.onnx.export: dynamic_axes of {key!r} are {[*axes]}, but it has "
                f"{ranks[key]} dimensions"))  # fmt: skip
    for key in dynamic:
        if key not in inputs and key not in outputs:
            warn(
                f"Provided key {key} for dynamic axes is not a valid input/output name: "
                f"the inputs are {inputs}, the outputs {outputs}")  # fmt: skip
    if opset is not None and opset < OPSET:
        warn(f"torch.onnx.export: opset {OPSET} is written, not {opset}")
    if opset is not None and opset > (newest := onnx.defs.onnx_opset_version()):
        raise ValueError(message(
            f"torch.onnx.export: opset_version={opset}, but this package onnx has {newest} at most",
            fix=f"opset_version={OPSET}"))  # fmt: skip
    opset = max(opset or OPSET, OPSET)
    of = {**dict(zip(inputs, given, strict=True)), **{n: o.tensor for n, o in
                                                      zip(outputs, entry.outputs, strict=True)}}
    if odd := [n for n, t in of.items() if t.is_complex()]:
        raise RuntimeError(message(
            f"torch.onnx.export: {odd[0]!r} is complex, and ONNX has no complex numbers",
            fix="torch.view_as_real and view_as_complex, inside the model"))  # fmt: skip
    w = Writer(entry, named, inputs, outputs, opset)
    w.apart = bool(dynamic)  # equal numbers may be different ones for other sizes
    w.write()
    w.step = None
    for name, o in zip(outputs, entry.outputs, strict=True):
        w.node("Identity", [w.name(Ref(o.number))], name)
    helper, values = onnx.helper, entry.program.values

    def info(name: str, shape: Shape, dtype: DType) -> Operand:
        axes = dynamic.get(name, {})
        words = axes if isinstance(axes, Mapping) else {a: f"{name}_{a}" for a in axes}
        sizes = [words.get(i, words.get(i - len(shape), n)) for i, n in enumerate(shape)]
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), sizes)

    kept = [onnx.numpy_helper.from_array(np.asarray(a, order="C"), n)
            for n, a in w.constants.items()]  # fmt: skip
    for tensor in kept:
        tensor.doc_string = "" if tensor.name in w.trained else FIXED
    graph = helper.make_graph(
        w.nodes, entry.program.name,
        [info(n, t.array.shape, t.array.dtype) for n, t in zip(inputs, given, strict=True)],
        [info(n, values[o.number].shape, values[o.number].dtype)
         for n, o in zip(outputs, entry.outputs, strict=True)],
        kept,
    )  # fmt: skip
    made = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)],
        producer_name="microtorch", ir_version=9,
    )  # fmt: skip
    try:
        onnx.checker.check_model(made, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as e:
        said = str(e)
        at = [n for n in w.nodes if re.search(rf"\b{re.escape(n.name)}\b", said)]
        where = f"{at[0].name}, at {at[0].doc_string}, makes " if at else ""
        raise RuntimeError(message(
            f"torch.onnx.export: {where}no valid ONNX model", said,
            fix="leave it out of the model, or give it other dtypes")) from None  # fmt: skip
    return made, w.by_data


def called(what: str, names: Sequence[str] | None, values: Sequence[object]) -> list[str]:
    """The names of the inputs or outputs: those given, and numbers for the rest."""
    found = [*(names or ())]
    if len(found) > len(values):
        raise ValueError(message(
            f"torch.onnx.export: {len(found)} {what}_names {found} for {len(values)} {what}s",
            fix=f"at most one name for each {what}"))  # fmt: skip
    return found + [f"{what}_{i}" for i in range(len(found), len(values))]


def sized(
    made: Operand, model: Operand, given: tuple[Tensor, ...], input_names: Sequence[str] | None,
    output_names: Sequence[str] | None, opset: int | None, dynamic: Mapping[str, Operand],
) -> Operand:  # fmt: skip
    """The model for any sizes, from a second one for others; the same model, if that fails."""
    onnx, other, sizes = onnx_package(), [*given], {}
    inputs = [i.name for i in made.graph.input]
    for more, (word, places) in enumerate(symbols(dynamic, inputs, given).items(), 1):
        n = given[places[0][0]].shape[places[0][1]]
        sizes[word] = (inputs[places[0][0]], places[0][1], n, n + more + 1)
        for i, axis in places:
            for _ in range(more + 1):
                other[i] = other[i].index_select(axis, _more(other[i], axis))
    second, _ = built(model, tuple(other), input_names, output_names, opset, dynamic)
    found = copy.deepcopy(made)
    try:
        Sized(onnx, found, second, sizes)
        onnx.checker.check_model(found, full_check=True)
    except (Unlike, onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return made
    return found


def agree(
    made: Operand, model: Operand, given: tuple[Tensor, ...], dynamic: Mapping[str, Operand]
) -> None:
    """RuntimeError if the model computes something else where the dynamic sizes are others."""
    names = [i.name for i in made.graph.input]
    other: list[Tensor] = []
    for name, t in zip(names, given, strict=True):
        axes = dynamic.get(name, ())
        for axis in axes:
            t = t.index_select(axis, _more(t, axis))
        other.append(t)
    _, why = compared(made, other, [*outputs_of(model, other)])
    if why:
        raise RuntimeError(
            message("torch.onnx.export: the model does not compute the same for other sizes of "
                    f"the dynamic axes {dict(dynamic)}", why,
                    fix="export it without dynamic_axes, once for each size")
        )  # fmt: skip


def agree_on_data(
    made: Operand, by_data: Sequence[str], model: Operand, given: tuple[Tensor, ...]
) -> None:
    """RuntimeError if the model computes something else where masks choose another number of
    elements; or if none of a few other inputs makes them do so."""
    seen = copy.deepcopy(made)  # which also gives the values in question
    for name in by_data:
        seen.graph.output.add().name = name
    first, _ = compared(seen, given, [*outputs_of(model, given)])
    differ = False
    sites = {n.doc_string for n in made.graph.node if {*n.output} & {*by_data}}
    why = "none of a few other inputs makes it choose another number of elements"
    for change in CHANGES:
        other = [change(t) for t in given]
        try:
            wanted = [*outputs_of(model, other)]
        except (IndexError, RuntimeError, ValueError):  # no inputs for this model
            continue
        found, fault = compared(seen, other, wanted)
        differ |= not fault and [x.shape for x in found] != [x.shape for x in first]
        if fault:
            differ, why = False, fault
            break
    if not differ:
        raise RuntimeError(
            message(f"torch.onnx.export: {', '.join(sorted(sites))}: how many elements there are "
                    "depends on data, and the model may not follow", why,
                    fix="torch.where(mask, x, 0) keeps the size")
        )  # fmt: skip


# other inputs for which a mask may choose other elements
CHANGES: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda t: ~t if t.dtype is dtypes.bool else -t,
    lambda t: t.flip([*range(t.ndim)]) if t.ndim else t + 1,
    lambda t: t.roll(1) // 2 if t.ndim and not t.is_floating_point() else t * 0.5 - 0.25,
    lambda t: t * 0,
)


def outputs_of(model: Operand, given: Sequence[Tensor]) -> Iterator[Array]:
    """The tensors that the model returns, as numpy's arrays."""
    wanted: list[Operand] = []
    structure(model(*[t.clone() for t in given]), wanted)
    return (x.detach().numpy() for x in wanted)


def compared(
    made: Operand, given: Sequence[Tensor], wanted: list[Array]
) -> tuple[list[Array], str]:
    """What onnx's own evaluator gives beyond the wanted outputs, and how these differ, or ""."""
    from onnx.reference import ReferenceEvaluator

    feeds = {i.name: t.detach().numpy() for i, t in zip(made.graph.input, given, strict=True)}
    drawn = any(n.op_type in DRAWING for n in made.graph.node)
    try:
        got: list[Array] = [*ReferenceEvaluator(made).run(None, feeds)]
        same = all(
            g.shape == x.shape if drawn else np.allclose(g, x, rtol=1e-3, atol=1e-4, equal_nan=True)
            for g, x in zip(got, wanted, strict=False)
        )
    except Exception as e:  # whatever the evaluator or a comparison of shapes raises
        return [], f"{type(e).__name__}: {e}"
    return got[len(wanted) :], "" if same else "its numbers are others"


def _more(t: Tensor, axis: int) -> Tensor:
    """Indices that make a dimension one longer."""
    from ..create.counted import arange

    n = t.array.shape[axis]
    return arange(n + 1) % n
