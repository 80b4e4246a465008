"""What backward hands out is the user's own: to write into it changes nothing else, ever."""
import microtorch as torch


def test_the_gradient_of_a_root_can_be_overwritten():
    x = torch.tensor(2.0, requires_grad=True)
    y = x * 3
    y.retain_grad()
    y.backward()
    y.grad.zero_()
    x.grad = None
    (x * 3).backward()
    assert x.grad.item() == 3


def test_gradients_handed_out_share_no_memory():
    a, b = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    for p, q in ((a, b), (a * 1, b * 1)):
        gp, gq = torch.autograd.grad((p + q).sum(), [p, q])
        gp.zero_()
        assert gq.tolist() == [1, 1, 1]
    (a + b).sum().backward()
    a.grad.zero_()
    assert b.grad.tolist() == [1, 1, 1]


def test_a_hook_that_writes_into_its_argument_changes_no_other_gradient():
    a, b = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    u, v = a * 2, b * 2
    u.register_hook(lambda g: g.mul_(100))
    (u + v).sum().backward()
    assert a.grad.tolist() == [200, 200] and b.grad.tolist() == [2, 2]


def test_a_custom_backward_may_write_into_what_it_is_given():
    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g.mul_(2)

    for _ in range(2):
        x = torch.tensor(1.0, requires_grad=True)
        Twice.apply(x).backward()
        assert x.grad.item() == 2


def test_shared_parts_of_two_graphs_survive_the_backward_of_one():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    a = x + 1  # reads nothing: PyTorch keeps it usable, too
    first, second = a.sum(), (a * a).sum()
    del a
    first.backward()
    x.grad = None
    second.backward()
    assert x.grad.tolist() == [4, 6]


def test_backward_inside_backward():
    x = torch.tensor(3.0, requires_grad=True)
    inner = []

    def hook(g):
        z = torch.tensor(2.0, requires_grad=True)
        with torch.enable_grad():
            (z**3).backward()
        inner.append(z.grad.item())

    y = x * x
    y.register_hook(hook)
    (y * 2).backward()
    assert inner == [12] and x.grad.item() == 12


def test_gradients_of_sums_have_memory_of_their_own():
    """What a user writes into one gradient is seen in no other: small, large, of any node."""
    for n in (3, 40_000):  # LARGE is 32,768
        for reduce in (
            lambda x: x.sum(),
            lambda x: x.mean() * len(x),
            lambda x: x.reshape(-1, 1).sum(0).sum(),
        ):
            x, y = torch.ones(n, requires_grad=True), torch.ones(n, requires_grad=True)
            (reduce(x) + reduce(x * y) + reduce(y)).backward()
            assert x.grad.tolist() == y.grad.tolist() == [2.0] * n
            x.grad[0] = 5.0
            assert x.grad.tolist() == [5.0] + [2.0] * (n - 1) and y.grad.tolist() == [2.0] * n


def test_a_root_named_twice_counts_twice():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    torch.autograd.backward([y, y])
    assert x.grad.tolist() == [4.0, 8.0]
