"""torch.library: ops of the user's own, under torch.ops, as PyTorch registers and calls them."""

import copy
import re
import warnings
from typing import Optional  # the annotations of programs that PyTorch reads

import numpy as np
import pytest
from microtorch.viz import draw_dot

import microtorch as torch
from microtorch import Tensor
from microtorch.facade.op_names import REGISTRY

library = torch.library


@pytest.fixture(autouse=True)
def registry():
    yield
    REGISTRY.pop("mine", None)


def sine(**rest):
    @library.custom_op("mine::sine", mutates_args=(), **rest)
    def sine(x: Tensor) -> Tensor:
        return torch.from_numpy(np.sin(x.numpy()))

    return sine


def with_gradient():
    op = sine()
    op.register_autograd(
        lambda ctx, g: g * ctx.saved_tensors[0].cos(),
        setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
    )
    op.register_fake(lambda x: torch.empty_like(x))
    return op


def x():
    return torch.tensor([0.25, 0.5, 1.0], requires_grad=True)


# ---- calls and names -----------------------------------------------------------------------------
def test_an_op_is_found_under_torch_ops():
    op = sine()
    packet = torch.ops.mine.sine
    assert repr(op) == "<CustomOpDef(mine::sine)>"
    assert (repr(packet), repr(packet.default)) == ("mine.sine", "mine.sine.default")
    assert packet.overloads() == ["default"]
    assert str(packet.default._schema) == "mine::sine(Tensor x) -> Tensor"
    for f in (op, packet, packet.default):
        assert torch.equal(f(torch.ones(2)), torch.from_numpy(np.sin(np.ones(2, np.float32))))
        assert f(x=torch.ones(2)).shape == (2,)
    for owner, name in ((torch.ops.mine, "cosine"), (packet, "out"), (torch.ops, "nobodys")):
        with pytest.raises(AttributeError, match=name):
            getattr(owner, name)


def test_our_files_of_ops_are_not_hidden():
    library.define("join::anything", "(Tensor x) -> Tensor")
    try:
        assert torch.ops.join.__name__ == "microtorch.ops.join"
    finally:
        del REGISTRY["join"]


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ((3,), "Expected a value of type 'Tensor' for argument 'x' but instead found type 'int'"),
        ((), "is missing value for argument 'x'"),
        ((torch.ones(1), 2), "expected at most 1 argument"),
    ],
)
def test_arguments_fit_the_schema(args, text):
    with pytest.raises(RuntimeError, match=text):
        sine()(*args)


def everything():
    seen = []

    @library.custom_op("mine::everything", mutates_args=())
    def op(
        x: Tensor, k: float, n: int, b: bool, fs: list[float], ts: list[Tensor], s: Optional[int],  # noqa: UP045
    ) -> Tensor:  # fmt: skip
        seen.append((k, n, b, fs, ts, s))
        return x * k

    return op, seen


@pytest.mark.parametrize(
    "given",
    [
        (2, True, 1, (1, 2.5), (torch.ones(1),), np.int64(3)),
        (np.float32(2), np.int32(1), np.bool_(True), [True, 2.5], [torch.ones(1)], 3),
        (torch.tensor(2.0), torch.tensor(1), True, (1.0, 2.5), [torch.ones(1)], torch.tensor(3)),
    ],
    ids=("of other kinds", "of numpy", "in tensors"),
)
def test_a_kernel_gets_the_types_of_the_schema(given):
    op, seen = everything()
    op(torch.ones(2), *given)
    assert seen[0] == (2.0, 1, True, [1.0, 2.5], [torch.ones(1)], 3)
    assert [type(v) for v in seen[0]] == [float, int, bool, list, list, int]
    assert [type(v) for v in seen[0][3]] == [float, float]


@pytest.mark.parametrize(
    ("place", "value"),
    [(1, "a"), (1, torch.ones(2)), (1, torch.ones((), requires_grad=True)), (2, 1.5), (3, 0.0),
     (4, 1.0), (5, torch.ones(2)), (5, [None]), (6, "a")],
)  # fmt: skip
def test_other_types_are_refused(place, value):
    args = [torch.ones(2), 1.0, 1, True, [1.0], [torch.ones(1)], None]
    op, _ = everything()
    op(*args)
    args[place] = value
    with pytest.raises(RuntimeError, match="Expected a value of type"):
        op(*args)


def test_sizes_defaults_and_marks_are_read():
    given = []
    lib = library.Library("mine", "FRAGMENT")
    lib.define(
        'sized(Tensor(a!) x, int[2] n=3, float? e=1e-05, str s="a, b", float z=-inf, Tensor?[] '
        'ts=[None], *, Device d="cpu", bool up=True) -> (Tensor(a!) out, int[])'
    )
    lib.impl("sized", lambda *args, **named: given.append((args[1:], named)) or [args[0], (1,)])
    y = torch.ones(1)
    assert torch.ops.mine.sized(y) == (y, [1])
    torch.ops.mine.sized(y, 4, up=False), torch.ops.mine.sized(y, (4, 5), None)
    rest, named = ("a, b", -np.inf, [None]), {"d": torch.device("cpu"), "up": True}
    assert given == [
        (([3, 3], 1e-05, *rest), named),
        (([4, 4], 1e-05, *rest), {**named, "up": False}),
        (([4, 5], None, *rest), named),
    ]


@pytest.mark.parametrize(
    ("returns", "result", "form"),
    [
        (Tensor, torch.ones(2), torch.ones(2)), (Tensor, None, None), (Tensor, 3, "refused"),
        (Tensor, (torch.ones(2),), "refused"), (None, None, None), (None, 3, "refused"),
        (float, 3, 3.0), (int, 3.5, "refused"), (list[Tensor], torch.ones(2), "refused"),
        (list[Tensor], (torch.ones(1),), [torch.ones(1)]), (list[Tensor], [None], "refused"),
        (tuple[Tensor], [torch.ones(1)], (torch.ones(1),)),
        (tuple[Tensor, int], [torch.ones(1), True], (torch.ones(1), 1)),
        (tuple[Tensor, int], torch.ones(2), "refused"),
        (tuple[Tensor, Tensor], (torch.ones(2),), "refused"),
    ],
)  # fmt: skip
def test_results_have_the_form_of_the_schema(returns, result, form):
    def kernel(x):
        return result

    kernel.__annotations__ = {"x": Tensor, "return": returns}
    op = library.custom_op("mine::formed", kernel, mutates_args=())
    if isinstance(form, str):
        with pytest.raises(RuntimeError, match="Unable to cast"):
            op(torch.zeros(1))
    else:
        found = op(torch.zeros(1))
        assert type(found) is type(form) and repr(found) == repr(form)


def test_kernels_by_device():
    op = sine(device_types="cuda")
    with pytest.raises(NotImplementedError, match=r"Could not run 'mine::sine'.*'CPU' backend"):
        op(torch.ones(2))
    op.register_kernel(None)(lambda x: x + 1)
    library.register_kernel("mine::sine", "cpu")(lambda x: x + 2)
    assert op(torch.ones(1)).item() == 3
    with op.set_kernel_enabled("cpu", enabled=False):
        assert op(torch.ones(1)).item() == 2
    assert op(torch.ones(1)).item() == 3


def test_outputs_share_no_memory_with_inputs_or_each_other():
    @library.custom_op("mine::same", mutates_args=())
    def same(x: Tensor, how: int) -> list[Tensor]:
        y = x.clone()
        return [[x], [x[1:]], [y, y], [torch.from_numpy(x.numpy())]][how]

    for how in range(4):
        with pytest.raises(RuntimeError, match="may not alias any inputs"):
            same(torch.ones(3), how)


# ---- derivatives ---------------------------------------------------------------------------------
def test_without_a_derivative_backward_raises():
    y = sine()(x())
    assert y.requires_grad
    with pytest.raises(RuntimeError, match=r"Trying to backward through mine.sine.default but no"):
        y.sum().backward()


def test_derivatives_of_any_order():
    op = with_gradient()
    a = x().double().detach().requires_grad_()
    assert torch.autograd.gradcheck(op, (a,)) and torch.autograd.gradgradcheck(op, (a,))
    assert type(op(a).grad_fn).__name__ == "GeneratedBackwardFor_mine_sine_defaultBackward"
    with torch.no_grad():
        assert not op(a).requires_grad
    with pytest.raises(NotImplementedError, match="jvp"):
        torch.func.jvp(op, (a,), (a,))


def test_lists_defaults_and_arguments_by_keyword():
    @library.custom_op("mine::mix", mutates_args=())
    def mix(xs: list[Tensor], w: list[float], k: float = 2.0, *, up: bool = False) -> Tensor:
        return sum(a * b for a, b in zip(xs, w, strict=True)) * k + up

    seen = []

    def setup_context(ctx, inputs, keyword_only_inputs, output):
        seen.append((inputs[1:], keyword_only_inputs, ctx.needs_input_grad))
        ctx.scale = [b * inputs[2] for b in inputs[1]]

    def backward(ctx, g):
        return [g * s for s in ctx.scale], None

    library.register_autograd(mix, backward, setup_context=setup_context)
    a, b = x(), torch.ones(3)
    mix([a, b], [3.0, 4.0]).sum().backward()
    assert a.grad.tolist() == [6.0, 6.0, 6.0]
    assert seen == [(([3.0, 4.0], 2.0), {"up": False}, ([True, False], False, False))]
    with pytest.raises(RuntimeError, match="incorrect number of gradients"):
        mix([a, b], [3.0, 4.0], 5.0).sum().backward()  # k is given: it has a place
    library.register_autograd(mix, lambda ctx, g: (g, None), setup_context=setup_context)
    with pytest.raises(RuntimeError, match="same structure as the inputs"):
        mix([a, b], [3.0, 4.0]).sum().backward()


def test_outputs_in_tuples_and_lists():
    @library.custom_op("mine::powers", mutates_args=())
    def powers(x: Tensor, n: int) -> tuple[Tensor, list[Tensor]]:
        return x * n, [x + i for i in range(n)]

    powers.register_autograd(
        lambda ctx, g, gs: (g * ctx.n + sum(gs), None),
        setup_context=lambda ctx, inputs, output: setattr(ctx, "n", inputs[1]),
    )
    a = x()
    first, rest = powers(a, 3)
    (first.sum() + rest[2].sum()).backward()
    assert isinstance(rest, list) and a.grad.tolist() == [4.0, 4.0, 4.0]


@pytest.mark.parametrize(
    ("returned", "text"),
    [
        (lambda g: g, "expected 3, got 1"),
        (lambda g: (g, g, None, g), "expected 3, got 4"),
        (lambda g: [g, g, None], "expected 3, got 1"),
        (lambda g: (g, g, g), "different than None at position 3"),
        (lambda g: (g, g), ""), (lambda g: (g, g, None, None), ""),
    ],
)  # fmt: skip
def test_one_gradient_for_each_argument(returned, text):
    @library.custom_op("mine::product", mutates_args=())
    def product(x: Tensor, y: Tensor, k: float = 1.0) -> Tensor:
        return x * y * k

    product.register_autograd(lambda ctx, g: returned(g))
    a, b = x(), x()
    y = product(a, b).sum()
    if text:
        with pytest.raises(RuntimeError, match=text):
            y.backward()
    else:
        y.backward()
        assert a.grad.tolist() == b.grad.tolist() == [1, 1, 1]


def test_setup_context_is_called_where_it_is_recorded():
    calls = []
    op = sine()
    op.register_autograd(lambda ctx, g: g, setup_context=lambda **given: calls.append(given))
    op(x())
    with torch.no_grad():
        op(x())
    op(torch.ones(2))
    assert len(calls) == 1


# ---- writes --------------------------------------------------------------------------------------
def test_writes_are_dated_and_dropped_gradients_raise():
    @library.custom_op("mine::double_", mutates_args={"x"})
    def double_(x: Tensor) -> None:
        np.multiply(x.numpy(), 2, out=x.numpy())

    a, w = torch.ones(3), x()
    y = (a * w).sum()
    version = a._version
    assert double_(a) is None and a.tolist() == [2, 2, 2] and a._version == version + 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()
    with pytest.raises(RuntimeError, match="leaf Variable"):
        double_(w)
    with pytest.raises(RuntimeError, match="no gradient flows through it"):
        double_(w * 1)
    with pytest.raises(RuntimeError, match="non-functional operator"):
        double_.register_autograd(lambda ctx, g: g)
    with pytest.raises(RuntimeError, match="register_vmap"):
        torch.vmap(double_)(torch.ones(2, 3))


# ---- other ways to run it ------------------------------------------------------------------------
def test_vmap_runs_each_sample_or_the_rule():
    op, batch = with_gradient(), torch.linspace(0, 1, 6).reshape(3, 2)
    rows = torch.stack([op(row) for row in batch.T])
    assert torch.equal(torch.vmap(op, in_dims=1)(batch), rows)
    boxes = torch.linspace(0, 1, 12).reshape(2, 3, 2)
    assert torch.equal(torch.vmap(torch.vmap(op))(boxes), op(boxes))
    slopes = torch.vmap(torch.func.grad(lambda x: op(x).sum()))(batch)
    assert torch.allclose(slopes, batch.cos())
    seen = []

    @op.register_vmap
    def _(info, in_dims, x):
        seen.append((info.batch_size, in_dims, x.shape))
        return op(x), in_dims[0]

    assert torch.equal(torch.vmap(op, in_dims=1)(batch), rows)
    assert [(size, tuple(shape)) for size, _, shape in seen] in ([(2, (2, 3))], [(2, (3, 2))])


def test_a_kernel_of_ops_is_recorded_with_the_derivative_of_its_own():
    @library.custom_op("mine::scaled", mutates_args=())
    def scaled(x: Tensor, k: float) -> Tensor:
        return x * x * k

    scaled.register_autograd(
        lambda ctx, g: (g * ctx.saved_tensors[0] * 7, None),  # another than that of the ops inside
        setup_context=lambda ctx, inputs, output: ctx.save_for_backward(inputs[0]),
    )
    compiled = torch.compile(lambda x: scaled(x, 2.0).sum())
    for n in (1.0, 2.0, 3.0):
        a = torch.full((3,), n, requires_grad=True)
        y = compiled(a)
        y.backward()
        assert y.item() == 6 * n * n and a.grad.tolist() == [7 * n] * 3
    assert "mul" in str(compiled.graph)
    scaled.register_kernel("cpu", lambda x, k: x * 100)
    scaled.register_autograd(lambda ctx, g: (g * 9, None))
    a = torch.ones(3, requires_grad=True)
    y = compiled(a)
    y.backward()
    assert y.item() == 300 and a.grad.tolist() == [9] * 3


def test_compiled_traced_and_drawn():
    op, a = with_gradient(), x()

    def f(x):
        return torch.ops.mine.sine(x * 2).sum()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = torch.compile(f)
        for scale in (1.0, 0.5, 2.0):
            b = (a * scale).detach().requires_grad_()
            for mine, plain in zip(
                torch.autograd.grad(compiled(b), b), torch.autograd.grad(f(b), b), strict=True
            ):
                assert torch.equal(mine, plain)
    traced = torch.fx.symbolic_trace(f)
    assert "torch.ops.mine.sine(mul)" in traced.code and torch.equal(traced(a), f(a))
    assert "mine::sine" in draw_dot(op(a)).source


# ---- schemas -------------------------------------------------------------------------------------
def test_a_schema_is_inferred():
    def f(
        x: Tensor, n: int, f: float = 1.0, s: str = "a", o: Optional[Tensor] = None,  # noqa: UP045
        ls: list[int] | None = None, d: torch.dtype = torch.float32, *, k: bool = True,
    ) -> tuple[Tensor, Tensor]: ...  # fmt: skip

    rest = 'SymInt n, float f=1.0, str s="a", Tensor{}? o=None, SymInt[]? ls=None, '
    rest += "ScalarType d=float32, *, bool k=True) -> (Tensor, Tensor)"
    assert library.infer_schema(f, mutates_args=()) == f"(Tensor x, {rest.format('')}"
    unknown = library.infer_schema(f, mutates_args="unknown", op_name="q")
    assert unknown == f"q(Tensor(a0!) x, {rest.format('(a4!)')}"
    library.define("mine::read", unknown[1:])
    assert str(torch.ops.mine.read._schema) == f"mine::read{unknown[1:]}"
    inputs, named = torch.ops.mine.read._schema.bind((torch.ones(1), 2), {})
    assert inputs[1:] == (2, 1.0, "a", None, None, torch.float32) and named == {"k": True}


def bare(x): ...


def no_return(x: Tensor): ...


def a_dict(x: dict) -> Tensor: ...


def returns_dict(x: Tensor) -> dict: ...


def good(x: Tensor) -> Tensor: ...


@pytest.mark.parametrize(
    ("f", "rest", "text"),
    [
        (bare, {}, "Parameter x must have a type annotation"),
        (no_return, {}, "No return type annotation"),
        (a_dict, {}, "Parameter x has unsupported type"),
        (returns_dict, {}, "Return has unsupported type"),
        (good, {"mutates_args": ("q",)}, "were not found in the custom op's signature"),
        (good, {"mutates_args": "all"}, "or the string 'unknown'"),
        (good, {"schema": "(Tensor(a!) x) -> Tensor"}, "make these consistent"),
    ],
)
def test_what_no_op_can_have_is_refused(f, rest, text):
    with pytest.raises(ValueError, match=text):
        library.custom_op("mine::bad", f, **{"mutates_args": (), **rest})
    assert "bad" not in REGISTRY.get("mine", {})


def test_names_that_are_none():
    with pytest.raises(ValueError, match="namespace::name"):
        library.custom_op("sine", good, mutates_args=())
    for register in (library.register_autograd, library.register_fake, library.register_vmap):
        with pytest.raises(RuntimeError, match="operator mine::none does not exist"):
            register("mine::none", good)


# ---- Library -------------------------------------------------------------------------------------
def test_what_is_defined_runs_in_the_open_until_it_has_a_derivative():
    lib = library.Library("mine", "DEF")
    assert lib.define("triple(Tensor x, float k=3.0) -> Tensor") == "triple"
    with pytest.raises(NotImplementedError, match="kernels: none"):
        torch.ops.mine.triple(x())
    library.impl(lib, "triple", "CPU")(lambda x, k=3.0: x * k)
    a = x()
    torch.ops.mine.triple(a).sum().backward()
    assert a.grad.tolist() == [3, 3, 3]
    library.register_autograd("mine::triple", lambda ctx, g: g * 7)
    assert torch.autograd.grad(torch.ops.mine.triple(a).sum(), a)[0].tolist() == [7, 7, 7]
    with pytest.raises(RuntimeError, match="multiple times"):
        lib.define("triple(Tensor x) -> Tensor")
    with pytest.raises(NotImplementedError, match="register_autograd"):
        lib.impl("triple", lambda x: x, "Autograd")
    with pytest.raises(RuntimeError, match="device type at start of device string: gpu"):
        library.impl("mine::triple", "gpu", lambda x: x)
    with pytest.raises(TypeError, match="required to be a callable"):
        lib.impl("triple", 3)
    with pytest.raises(RuntimeError, match="Cannot define an operator inside"):
        library.Library("mine", "IMPL").define("other(Tensor x) -> Tensor")
    with pytest.raises(ValueError, match="Unsupported kind"):
        library.Library("mine", "ALL")


def test_a_kernel_that_leaves_the_graph_drops_no_gradient_in_silence():
    lib = library.Library("mine", "FRAGMENT")
    lib.define("far(Tensor x) -> (Tensor, Tensor)")
    lib.impl("far", lambda x: (torch.from_numpy(np.sin(x.detach().numpy())), x.argmax()), "CPU")
    a = x()
    y, place = torch.ops.mine.far(a)
    assert y.requires_grad and not place.requires_grad and place == 2
    with pytest.raises(RuntimeError, match=r"Trying to backward through mine.far.default"):
        (y.sum() + a.sum()).backward()
    assert failing("mine::far", a) == ["test_autograd_registration", "test_faketensor",
                                       "test_aot_dispatch_dynamic"]  # fmt: skip
    with torch.no_grad():
        assert not torch.ops.mine.far(a)[0].requires_grad
    lib.define("near(Tensor x) -> Tensor")  # one of ops says itself what has a derivative
    lib.impl("mine::near", lambda x: x.detach() * 2, "CompositeImplicitAutograd")
    assert not torch.ops.mine.near(a).requires_grad and failing("mine::near", a) == []


def test_an_op_without_tensors_is_told_the_device():
    def ones(n: int) -> Tensor:
        return torch.ones(n)

    assert library.custom_op("mine::ones", ones, mutates_args=())(2).tolist() == [1, 1]
    with pytest.raises(ValueError, match="required to have a `device"):
        library.custom_op("mine::ones", ones, mutates_args=(), device_types="cpu")


@pytest.mark.parametrize("name", ["triton_op", "get_ctx", "register_autocast"])
def test_what_is_absent_says_so(name):
    with pytest.raises(AttributeError, match=rf"torch.library.{name} is part of PyTorch(?s:.*)fix"):
        getattr(library, name)


# ---- opcheck -------------------------------------------------------------------------------------
def failing(op, *args, **rest):
    results = library.opcheck(op, args, raise_exception=False, **rest)
    return [name for name, result in results.items() if result != "SUCCESS"]


def test_opcheck():
    op, a = with_gradient(), x()
    assert failing(op, a) == [] and failing(op, a, test_utils="test_gradients") == []
    library.register_autograd("mine::sine", lambda ctx, g: g * 5)
    assert failing(op, a) == []  # as PyTorch's, it does not judge the numbers unless asked to
    assert failing(op, a, test_utils="test_gradients") == ["test_gradients"]
    library.register_fake("mine::sine")(lambda x: x.new_empty(7))
    assert failing(op, a) == ["test_faketensor"]
    assert failing(sine(), a) == ["test_autograd_registration", "test_faketensor"]

    @library.custom_op("mine::lies", mutates_args=())
    def lies(x: Tensor) -> Tensor:
        return x.add_(1) * 2

    text = re.escape("opcheck(op, ...): test_schema failed with Argument x is not defined as mut")
    with pytest.raises(Exception, match=text):
        library.opcheck(lies, (torch.ones(2),))


@pytest.mark.parametrize(
    ("fake", "right"),
    [
        (lambda x: (torch.empty_like(x), 1), True), (lambda x: (torch.empty_like(x), 2), False),
        (lambda x: (x.new_empty(3, 2).T, 1), False), (lambda x: (x.double(), 1), False),
        (lambda x: (None, 1), False), (lambda x: x, False), (lambda x: None, False),
    ],
)  # fmt: skip
def test_opcheck_compares_all_that_is_seen_of_the_outputs(fake, right):
    library.define("mine::both", "(Tensor x) -> (Tensor, int)")
    library.impl("mine::both", "cpu", lambda x: (x * 1, 1))
    library.register_fake("mine::both", fake)
    assert failing("mine::both", torch.ones(2, 3)) == ([] if right else ["test_faketensor"])


def test_opcheck_compares_with_the_program(monkeypatch):
    made = []

    def compiled(f):
        made.append(torch.compile(f))
        return made[0]

    @library.custom_op("mine::double", mutates_args=())
    def double(x: Tensor) -> Tensor:
        return x * 2

    double.register_autograd(lambda ctx, g: g * 2)
    monkeypatch.setattr("microtorch.facade.opcheck.compile", compiled)
    x = torch.ones(3, requires_grad=True)
    library.opcheck(double, (x,), test_utils="test_aot_dispatch_dynamic")
    assert made[0].count == 1, "no program was made, so none was compared"


def test_names_are_copied():
    with_gradient()
    assert repr(copy.copy(torch.ops.mine.sine)) == "mine.sine"
    assert copy.copy(torch.ops.mine).sine(torch.zeros(1)).tolist() == [0]
