"""Statements of course scripts on small tensors, beside PyTorch: what is left is overhead.

    python -m benchmarks courses            all, the worst ratio first
    python -m benchmarks courses cat max    some

Each row has a preparation and an expression, which run unchanged with either library. Contestants
take turns and the fastest turn counts. A ratio should be at most 2.
"""
from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

from .registry import fastest

LOOPS, TURN = 200, 5e-4  # a turn: so many times, and no longer than these seconds
# name: what is prepared, and the expression that is timed
ROWS = {
    "a[i] = v": ("a, v = t.zeros(10, 5), t.ones(5)", "a.__setitem__(3, v)"),
    "a[i] = number": ("a = t.zeros(10)", "a.__setitem__(3, 1.5)"),
    "a[i] = rows": (
        "a, i, v = t.rand(6, 5), t.tensor([0, 2]), t.ones(2, 5)", "a.__setitem__(i, v)",
    ),
    "scatter_add_": (
        "a, i, v = t.zeros(5), t.tensor([0, 2, 0]), t.ones(3)", "a.scatter_add_(0, i, v)",
    ),
    "index_add_": (
        "a, i, v = t.zeros(5, 2), t.tensor([0, 2]), t.ones(2, 2)", "a.index_add_(0, i, v)",
    ),
    "take_along_dim": ("a = t.rand(4, 5); i = a.argsort(1)", "t.take_along_dim(a, i, 1)"),
    "whole // number": ("a = t.arange(9)", "a // 2"),
    "median": ("a = t.rand(30)", "a.median()"),
    "nan_to_num": ("a = t.rand(4)", "t.nan_to_num(a)"),
    "finfo": ("a = t.rand(4)", "t.finfo(a.dtype).eps"),
    "interpolate": (
        "a = t.rand(1, 1, 4, 4)", "t.nn.functional.interpolate(a, scale_factor=2)",
    ),
    "a > number": ("a = t.rand(4, 4)", "a > 0.5"),
    "a == whole number": ("a = t.arange(10)", "a == 1"),
    "where": ("a, b = t.rand(4, 4), t.rand(4, 4); k = a > b", "t.where(k, a, 0.0)"),
    "zero_": ("a = t.rand(4, 4)", "a.zero_()"),
    "gather": ("a, i = t.rand(8, 5), t.zeros(8, 1).long()", "a.gather(1, i)"),
    "cat": ("a = t.rand(3, 4)", "t.cat([a, a])"),
    "stack": ("a = t.rand(4)", "t.stack([a, a])"),
    "stack last": ("a = t.rand(4)", "t.stack([a, a], 1)"),
    "a[:, i]": ("a = t.rand(6, 5, requires_grad=True)", "a[:, 2]"),
    "a[:, i:j]": ("a = t.rand(6, 5, requires_grad=True)", "a[:, 1:3]"),
    "RNN": ("r, x, h = t.nn.RNN(10, 20), t.rand(1, 1, 10), t.zeros(1, 1, 20)", "r(x, h)"),
    "attention": (
        "q = t.rand(2, 4, 8, 16)", "t.nn.functional.scaled_dot_product_attention(q, q, q)",
    ),
    "squeeze().view()": ("a = t.rand(1, 6, 1)", "a.squeeze().view(2, 3)"),
    "max(1)[0]": ("a = t.rand(8, 10)", "a.max(1)[0]"),
    "smooth_l1": (
        "a, b = t.rand(32, 1, requires_grad=True), t.rand(32, 1)",
        "t.nn.functional.smooth_l1_loss(a, b).backward()",
    ),
    "a[i] = v, gradient": ("v = t.ones(5, requires_grad=True)", "t.zeros(10, 5).__setitem__(3, v)"),
    "expand": ("a = t.rand(1, 5)", "a.expand(4, 5)"),
    "view": ("a = t.rand(4, 4)", "a.view(2, 8)"),
    "flip": ("a = t.rand(8, 8)", "a.flip(0)"),
    "embedding": (
        "w, i = t.rand(50, 8, requires_grad=True), t.arange(12)", "t.nn.functional.embedding(i, w)",
    ),
    "one_hot": ("i = t.arange(5)", "t.nn.functional.one_hot(i, 5)"),
    "cumsum": ("a = t.arange(10)", "a.cumsum(0)"),
    "from_numpy": ("a = t.rand(5).numpy()", "t.from_numpy(a)"),
    "triu": ("a = t.rand(8, 8)", "a.triu()"),
    "cat of 8,000": (
        "a = [t.rand(1, requires_grad=True) for _ in range(8000)]", "t.cat(a).sum().backward()",
    ),
    "x[mask]": ("a = t.rand(8, 8); k = a > 0.5", "a[k]"),
    "x[:, list]": ("a = t.rand(8, 8); i = t.tensor([0, 2, 4])", "a[:, i]"),
    "x.T @ x": ("a = t.rand(8, 4)", "a.T @ a"),
    "mean(0, keepdim)": ("a = t.rand(8, 4)", "a.mean(0, keepdim=True)"),
    "sum(1)": ("a = t.rand(8, 4)", "a.sum(1)"),
    "std": ("a = t.rand(8, 4)", "a.std()"),
    "var(0)": ("a = t.rand(8, 4)", "a.var(0)"),
    "cross_entropy": (
        "a, y = t.rand(8, 4, requires_grad=True), t.arange(8) % 4",
        "t.nn.functional.cross_entropy(a, y)",
    ),
    "mse_loss": ("a, b = t.rand(8, 4), t.rand(8, 4)", "t.nn.functional.mse_loss(a, b)"),
    "softmax": ("a = t.rand(8, 4)", "a.softmax(1)"),
    "arange": ("", "t.arange(10)"),
    "tensor of a list": ("", "t.tensor([1.0, 2.0, 3.0])"),
    "zeros": ("", "t.zeros(3, 4)"),
    "zeros_like": ("a = t.rand(3, 4)", "t.zeros_like(a)"),
    "randn": ("", "t.randn(10)"),
    "randint": ("", "t.randint(0, 5, (10,))"),
    "linspace": ("", "t.linspace(0, 1, 10)"),
    "item": ("a = t.rand(1)", "a.item()"),
    "tolist": ("a = t.rand(8)", "a.tolist()"),
    "numpy": ("a = t.rand(8)", "a.numpy()"),
    "detach": ("a = t.rand(8, requires_grad=True)", "a.detach()"),
    "clone": ("a = t.rand(8)", "a.clone()"),
    "argmax(1)": ("a = t.rand(8, 4)", "a.argmax(1)"),
    "accuracy": ("p, y = t.arange(8), t.arange(8)", "(p == y).float().mean().item()"),
    "to(dtype)": ("a = t.arange(8)", "a.to(t.float32)"),
    "clamp": ("a = t.rand(8)", "a.clamp(0.2, 0.8)"),
    "norm": ("a = t.rand(8)", "a.norm()"),
    "dist": ("a, b = t.rand(8), t.rand(8)", "t.dist(a, b)"),
    "cdist": ("a, b = t.rand(8, 2), t.rand(5, 2)", "t.cdist(a, b)"),
    "bmm": ("a, b = t.rand(2, 3, 4), t.rand(2, 4, 3)", "t.bmm(a, b)"),
    "dot": ("a, b = t.rand(8), t.rand(8)", "t.dot(a, b)"),
    "outer": ("a, b = t.rand(8), t.rand(8)", "t.outer(a, b)"),
    "einsum": ("a, b = t.rand(3, 4), t.rand(4, 5)", "t.einsum('ij,jk->ik', a, b)"),
    "permute().contiguous()": ("a = t.rand(2, 3, 4)", "a.permute(2, 0, 1).contiguous()"),
    "unsqueeze": ("a = t.rand(8)", "a.unsqueeze(1)"),
    "split": ("a = t.rand(8, 4)", "a.split(2)"),
    "chunk": ("a = t.rand(8, 4)", "a.chunk(2, 1)"),
    "unbind": ("a = t.rand(3, 4)", "a.unbind()"),
    "topk": ("a = t.rand(20)", "a.topk(3)"),
    "sort": ("a = t.rand(20)", "a.sort()"),
    "unique": ("a = t.arange(10) % 3", "a.unique()"),
    "nonzero": ("a = t.arange(10) % 3", "a.nonzero()"),
    "masked_fill": ("a = t.rand(4, 4); k = a > 0.5", "a.masked_fill(k, 0.0)"),
    "allclose": ("a = t.rand(4, 4)", "t.allclose(a, a)"),
    "all": ("a = t.arange(8) > 1", "a.all()"),
    "for row in x": ("a = t.rand(4, 4)", "[r for r in a]"),
    "print": ("a = t.rand(3)", "str(a)"),
    "no_grad": ("", "with t.no_grad(): pass"),
    "add_": ("a, b = t.rand(8), t.rand(8)", "a.add_(b, alpha=0.1)"),
    "sub_": ("a, b = t.rand(8), t.rand(8)", "a.sub_(b)"),
    "p.data -= lr * p.grad": (
        "a = t.rand(8, requires_grad=True); a.sum().backward()", "a.data.sub_(0.1 * a.grad)",
    ),
    "zero_grad": ("m = t.nn.Linear(3, 2); o = t.optim.SGD(m.parameters(), 0.1)", "o.zero_grad()"),
    "Adam step": (
        "m = t.nn.Linear(3, 2); o = t.optim.Adam(m.parameters()); m(t.rand(5, 3)).sum().backward()",
        "o.step()",
    ),
    "Sequential": (
        "m = t.nn.Sequential(t.nn.Linear(3, 8), t.nn.ReLU(), t.nn.Linear(8, 1)); x = t.rand(5, 3)",
        "m(x)",
    ),
    "parameters": ("m = t.nn.Sequential(t.nn.Linear(3, 8), t.nn.Linear(8, 1))",
                   "list(m.parameters())"),
    "state_dict": ("m = t.nn.Sequential(t.nn.Linear(3, 8), t.nn.Linear(8, 1))", "m.state_dict()"),
    "deepcopy": ("import copy; m = t.nn.Linear(3, 8)", "copy.deepcopy(m)"),
    "nn.Linear": ("", "t.nn.Linear(3, 8)"),
    "dropout": ("m, x = t.nn.Dropout(), t.rand(8, 8)", "m(x)"),
    "LayerNorm": ("m, x = t.nn.LayerNorm(8), t.rand(4, 8)", "m(x)"),
    "BatchNorm1d": ("m, x = t.nn.BatchNorm1d(8), t.rand(4, 8)", "m(x)"),
    "Conv2d": ("m, x = t.nn.Conv2d(1, 2, 3), t.rand(1, 1, 8, 8)", "m(x)"),
    "max_pool2d": ("x = t.rand(1, 1, 8, 8)", "t.nn.functional.max_pool2d(x, 2)"),
    "autograd.grad": (
        "x = t.rand(3, requires_grad=True)", "t.autograd.grad((x * x).sum(), x)",
    ),
    "second derivative": (
        "x = t.rand(3, requires_grad=True)",
        "t.autograd.grad(t.autograd.grad((x ** 3).sum(), x, create_graph=True)[0].sum(), x)",
    ),
    "clip_grad_norm_": (
        "m = t.nn.Linear(3, 2); m(t.rand(5, 3)).sum().backward()",
        "t.nn.utils.clip_grad_norm_(m.parameters(), 1.0)",
    ),
    "DataLoader, a batch": (
        "d = t.utils.data.TensorDataset(t.rand(8, 3), t.rand(8)); "
        "l = t.utils.data.DataLoader(d, batch_size=4)", "for x, y in l: pass",
    ),
    "multinomial": ("p = t.ones(5) / 5", "t.multinomial(p, 1)"),
    "cumsum, float": ("a = t.rand(10)", "a.cumsum(0)"),
    "lstm cell": ("m, x, h = t.nn.LSTMCell(4, 8), t.rand(1, 4), None", "m(x)"),
    "scatter_": ("a, i = t.zeros(4, 5), t.zeros(4, 1).long()", "a.scatter_(1, i, 1.0)"),
    "index_select": ("a, i = t.rand(8, 4), t.arange(3)", "a.index_select(0, i)"),
    "repeat": ("a = t.rand(3)", "a.repeat(2, 2)"),
    "roll": ("a = t.rand(8)", "a.roll(1)"),
    "meshgrid": ("a = t.arange(3)", "t.meshgrid(a, a, indexing='ij')"),
    "tril of ones": ("", "t.tril(t.ones(4, 4))"),
    "matmul, batch": ("a, b = t.rand(2, 4, 8), t.rand(8, 4)", "a @ b"),
    # losses
    "nll_loss": ("a, y = t.rand(8, 4), t.arange(8) % 4", "t.nn.functional.nll_loss(a, y)"),
    "l1_loss": ("a, b = t.rand(8, 4), t.rand(8, 4)", "t.nn.functional.l1_loss(a, b)"),
    "BCE": ("a, b = t.rand(8, 1), t.rand(8, 1)", "t.nn.functional.binary_cross_entropy(a, b)"),
    "BCE, logits": (
        "a, b = t.rand(8, 1, requires_grad=True), t.rand(8, 1)",
        "t.nn.functional.binary_cross_entropy_with_logits(a, b)",
    ),
    "kl_div": (
        "a, b = t.rand(8, 4), t.rand(8, 4)", "t.nn.functional.kl_div(a, b, reduction='batchmean')",
    ),
    "huber_loss": ("a, b = t.rand(8, 4), t.rand(8, 4)", "t.nn.functional.huber_loss(a, b)"),
    "CrossEntropyLoss": (
        "f, a, y = t.nn.CrossEntropyLoss(), t.rand(8, 4, requires_grad=True), t.arange(8) % 4",
        "f(a, y).backward()",
    ),
    "MSELoss": (
        "f, a, b = t.nn.MSELoss(), t.rand(8, 1, requires_grad=True), t.rand(8, 1)",
        "f(a, b).backward()",
    ),
    "cosine_similarity": (
        "a, b = t.rand(8, 4), t.rand(8, 4)", "t.nn.functional.cosine_similarity(a, b)",
    ),
    # layers and activations
    "Module call": (
        "class M(t.nn.Module):\n def forward(self, x): return x\nm, x = M(), t.rand(3)", "m(x)",
    ),
    "normalize": ("a = t.rand(8, 4)", "t.nn.functional.normalize(a, dim=1)"),
    "log_softmax": ("a = t.rand(8, 4)", "t.nn.functional.log_softmax(a, dim=1)"),
    "F.softmax": ("a = t.rand(8, 4)", "t.nn.functional.softmax(a, dim=-1)"),
    "relu": ("m, a = t.nn.ReLU(), t.rand(8, 4, requires_grad=True)", "m(a)"),
    "gelu": ("a = t.rand(8, 4, requires_grad=True)", "t.nn.functional.gelu(a)"),
    "leaky_relu": ("a = t.rand(8, 4, requires_grad=True)", "t.nn.functional.leaky_relu(a, 0.2)"),
    "elu": ("a = t.rand(8, 4, requires_grad=True)", "t.nn.functional.elu(a)"),
    "softplus": ("a = t.rand(8, 4, requires_grad=True)", "t.nn.functional.softplus(a)"),
    "sigmoid": ("a = t.rand(8, 4, requires_grad=True)", "a.sigmoid()"),
    "Embedding": ("m, i = t.nn.Embedding(10, 4), t.arange(5)", "m(i)"),
    "Conv1d": ("m, x = t.nn.Conv1d(2, 3, 3), t.rand(1, 2, 12)", "m(x)"),
    "F.conv2d": ("x, w = t.rand(1, 1, 8, 8), t.rand(1, 1, 3, 3)",
                 "t.nn.functional.conv2d(x, w, padding=1)"),
    "avg_pool2d": ("x = t.rand(1, 1, 8, 8)", "t.nn.functional.avg_pool2d(x, 2)"),
    "MaxPool2d": ("m, x = t.nn.MaxPool2d(2), t.rand(1, 2, 8, 8, requires_grad=True)", "m(x)"),
    "adaptive_avg_pool2d": (
        "x = t.rand(1, 2, 8, 8)", "t.nn.functional.adaptive_avg_pool2d(x, 1)",
    ),
    "Flatten": ("m, x = t.nn.Flatten(), t.rand(4, 2, 3)", "m(x)"),
    "pad": ("x = t.rand(1, 1, 4, 4)", "t.nn.functional.pad(x, (1, 1, 1, 1))"),
    "BatchNorm2d, eval": ("m, x = t.nn.BatchNorm2d(2).eval(), t.rand(1, 2, 4, 4)", "m(x)"),
    "F.layer_norm": ("x = t.rand(4, 8)", "t.nn.functional.layer_norm(x, (8,))"),
    "GRUCell": ("m, x = t.nn.GRUCell(4, 8), t.rand(1, 4)", "m(x)"),
    "MultiheadAttention": ("m, x = t.nn.MultiheadAttention(8, 2), t.rand(4, 1, 8)", "m(x, x, x)"),
    "eval() and train()": ("m = t.nn.Sequential(t.nn.Linear(3, 8), t.nn.Dropout())",
                           "m.eval(); m.train()"),
    "no_grad forward": ("m, x = t.nn.Linear(3, 2), t.rand(5, 3)", "with t.no_grad(): m(x)"),
    # training
    "SGD, momentum": (
        "m = t.nn.Sequential(t.nn.Linear(3, 8), t.nn.Linear(8, 1)); "
        "m(t.rand(5, 3)).sum().backward(); o = t.optim.SGD(m.parameters(), 1e-5, momentum=0.9)",
        "o.step()",
    ),
    "Adam, 20 parameters": (
        "m = t.nn.Sequential(*[t.nn.Linear(4, 4) for _ in range(10)]); "
        "o = t.optim.Adam(m.parameters()); m(t.rand(5, 4)).sum().backward()", "o.step()",
    ),
    "AdamW": (
        "m = t.nn.Linear(3, 2); m(t.rand(5, 3)).sum().backward(); "
        "o = t.optim.AdamW(m.parameters())", "o.step()",
    ),
    "StepLR": (
        "o = t.optim.SGD([t.ones(2, requires_grad=True)], 0.1); "
        "s = t.optim.lr_scheduler.StepLR(o, 1000000); o.step()", "s.step()",
    ),
    "a training step": (
        "m = t.nn.Sequential(t.nn.Linear(3, 8), t.nn.ReLU(), t.nn.Linear(8, 1)); "
        "F, x, y = t.nn.functional, t.rand(5, 3), t.rand(5, 1); "
        "o = t.optim.SGD(m.parameters(), 1e-5)",
        "o.zero_grad(); F.mse_loss(m(x), y).backward(); o.step()",
    ),
    "p -= lr * p.grad": (
        "a = t.rand(8, requires_grad=True); a.sum().backward()",
        "with t.no_grad(): a.__isub__(0.1 * a.grad)",
    ),
    "p.grad.zero_()": ("a = t.rand(8, requires_grad=True); a.sum().backward()", "a.grad.zero_()"),
    "mean().backward()": ("a = t.rand(8, requires_grad=True)", "a.mean().backward()"),
    "loss.item()": ("a = t.rand(8, requires_grad=True)", "(a ** 2).mean().item()"),
    "requires_grad_": ("a = t.rand(8)", "a.requires_grad_()"),
    "custom Function": (
        "class F(t.autograd.Function):\n"
        " @staticmethod\n def forward(ctx, x): ctx.save_for_backward(x); return x * 2\n"
        " @staticmethod\n def backward(ctx, g): return g * 2\n"
        "x = t.rand(3, requires_grad=True)", "F.apply(x)",
    ),
    # making and shaping
    "rand": ("", "t.rand(3, 4)"),
    "ones": ("", "t.ones(3, 4)"),
    "full": ("", "t.full((3, 4), 2.0)"),
    "eye": ("", "t.eye(3)"),
    "randperm": ("", "t.randperm(10)"),
    "arange, step": ("", "t.arange(0, 1, 0.1)"),
    "randn_like": ("a = t.rand(3, 4)", "t.randn_like(a)"),
    "tensor of a number": ("", "t.tensor(1.0)"),
    "tensor of lists": ("", "t.tensor([[1, 2], [3, 4]])"),
    "manual_seed": ("", "t.manual_seed(0)"),
    "reshape": ("a = t.rand(4, 4)", "a.reshape(-1)"),
    "transpose": ("a = t.rand(4, 4)", "a.transpose(0, 1)"),
    "permute": ("a = t.rand(2, 3, 4)", "a.permute(2, 0, 1)"),
    "flatten": ("a = t.rand(2, 3, 4)", "a.flatten(1)"),
    "squeeze": ("a = t.rand(4, 1)", "a.squeeze(1)"),
    "x[None]": ("a = t.rand(4)", "a[None]"),
    "x[i]": ("a = t.rand(4, 4)", "a[1]"),
    "x[i, j]": ("a = t.rand(4, 4)", "a[1, 2]"),
    "x[i].item()": ("a = t.rand(4)", "a[1].item()"),
    "x[-1]": ("a = t.rand(4, 4, requires_grad=True)", "a[-1]"),
    "x[:n]": ("a = t.rand(8, 4)", "a[:4]"),
    "x[..., 0]": ("a = t.rand(8, 4)", "a[..., 0]"),
    "x[index]": ("a, i = t.rand(8, 4), t.arange(4)", "a[i]"),
    "x[rows, columns]": ("a, i = t.rand(8, 4), t.arange(4)", "a[i, i]"),
    "x[mask] = number": ("a = t.rand(8); k = a > 0.5", "a.__setitem__(k, 0.0)"),
    "x[:, i] = number": ("a = t.rand(8, 4)", "a.__setitem__((slice(None), 1), 0.0)"),
    "x += y": ("a, b = t.zeros(8), t.rand(8)", "a.__iadd__(b)"),
    "x *= number": ("a = t.rand(8)", "a.__imul__(0.99)"),
    "copy_": ("a, b = t.zeros(8), t.rand(8)", "a.copy_(b)"),
    "fill_": ("a = t.zeros(8)", "a.fill_(1.0)"),
    "normal_": ("a = t.zeros(8)", "a.normal_()"),
    "uniform_": ("a = t.zeros(8)", "a.uniform_(-1, 1)"),
    "repeat_interleave": ("a = t.arange(4)", "a.repeat_interleave(2)"),
    "tril": ("a = t.rand(4, 4)", "t.tril(a)"),
    "diag": ("a = t.rand(4)", "t.diag(a)"),
    "shape": ("a = t.rand(4, 4)", "a.shape[0]"),
    "size": ("a = t.rand(4, 4)", "a.size(0)"),
    "float()": ("a = t.arange(4)", "a.float()"),
    "long()": ("a = t.rand(4)", "a.long()"),
    "to(device)": ("a = t.rand(4)", "a.to('cpu')"),
    "float(x)": ("a = t.rand(1)", "float(a)"),
    "bool(x)": ("a = t.rand(1)", "bool(a > 0)"),
    "len(x)": ("a = t.rand(4)", "len(a)"),
    "detach().numpy()": ("a = t.rand(4, requires_grad=True)", "a.detach().numpy()"),
    "print a matrix": ("a = t.rand(3, 4)", "str(a)"),
    "print, gradient": ("a = t.rand(3, requires_grad=True) * 2", "repr(a)"),
    # mathematics
    "a * number": ("a = t.rand(4, 4)", "a * 2"),
    "number - a": ("a = t.rand(4, 4, requires_grad=True)", "1 - a"),
    "a / b": ("a, b = t.rand(4, 4), t.rand(4, 1)", "a / b"),
    "a ** 2": ("a = t.rand(4, 4, requires_grad=True)", "a ** 2"),
    "-a": ("a = t.rand(4, 4)", "-a"),
    "whole numbers": ("a, b = t.arange(4), t.arange(4)", "a + b"),
    "whole % number": ("a = t.arange(8)", "a % 2"),
    "int + float": ("a, b = t.arange(4), t.rand(4)", "a + b"),
    "a & b": ("a = t.rand(4) > 0.5", "a & ~a"),
    "sqrt": ("a = t.rand(4, 4)", "a.sqrt()"),
    "exp": ("a = t.rand(4, 4, requires_grad=True)", "t.exp(a)"),
    "log": ("a = t.rand(4, 4)", "t.log(a)"),
    "sin": ("a = t.rand(4, 4)", "t.sin(a)"),
    "abs": ("a = t.rand(4, 4)", "a.abs()"),
    "maximum": ("a, b = t.rand(4), t.rand(4)", "t.maximum(a, b)"),
    "clamp(min=)": ("a = t.rand(4, 4)", "a.clamp(min=0)"),
    "mean": ("a = t.rand(4, 4)", "a.mean()"),
    "mean(dim=)": ("a = t.rand(4, 4)", "a.mean(dim=1)"),
    "sum(dim=)": ("a = t.rand(4, 4)", "a.sum(dim=-1, keepdim=True)"),
    "t.sum": ("a = t.rand(4, 4)", "t.sum(a)"),
    "sum of a mask": ("a = t.rand(8) > 0.5", "a.sum()"),
    "prod": ("a = t.rand(4)", "a.prod()"),
    "max": ("a = t.rand(8)", "a.max()"),
    "t.max(dim=)": ("a = t.rand(8, 4)", "t.max(a, dim=1)"),
    "argmax": ("a = t.rand(8)", "a.argmax()"),
    "argmax(dim=)": ("a = t.rand(8, 4)", "t.argmax(a, dim=1)"),
    "any": ("a = t.rand(8) > 0.5", "a.any()"),
    "argsort": ("a = t.rand(8)", "a.argsort()"),
    "logsumexp": ("a = t.rand(8, 4)", "a.logsumexp(1)"),
    "a @ vector": ("a, b = t.rand(4, 4), t.rand(4)", "a @ b"),
    "mm": ("a, b = t.rand(4, 4), t.rand(4, 4)", "t.mm(a, b)"),
    "matmul, 4 dims": ("a = t.rand(2, 2, 4, 4)", "a @ a.transpose(-2, -1)"),
    "isnan": ("a = t.rand(8)", "t.isnan(a)"),
    "equal": ("a = t.rand(8)", "t.equal(a, a)"),
    "eq().sum().item()": ("p, y = t.arange(8), t.arange(8)", "p.eq(y).sum().item()"),
    "linalg.norm": ("a = t.rand(4, 4)", "t.linalg.norm(a)"),
    "inverse": ("a = t.eye(3) + 0.1", "t.linalg.inv(a)"),
    "bincount": ("a = t.arange(8) % 3", "t.bincount(a)"),
    "bernoulli": ("a = t.rand(8)", "t.bernoulli(a)"),
    "normal": ("", "t.normal(0.0, 1.0, (3,))"),
    "addmm": ("a, b, c = t.rand(4), t.rand(3, 5), t.rand(5, 4)", "t.addmm(a, b, c)"),
    "kron": ("a, b = t.rand(2, 2), t.rand(2, 2)", "t.kron(a, b)"),
    "tensordot": ("a, b = t.rand(3, 4), t.rand(4, 5)", "t.tensordot(a, b, dims=1)"),
    "qr": ("a = t.rand(3, 3)", "t.linalg.qr(a)"),
    "eigh": ("a = t.eye(3) + 0.1", "t.linalg.eigh(a)"),
    "histc": ("a = t.rand(20)", "t.histc(a, 5, 0, 1)"),
    "searchsorted": ("a, b = t.arange(8.), t.rand(4) * 8", "t.searchsorted(a, b)"),
    "isin": ("a, b = t.arange(8), t.tensor([1, 3])", "t.isin(a, b)"),
    # more of the above
    "vstack": ("a = t.rand(3, 4)", "t.vstack([a, a])"),
    "movedim": ("a = t.rand(2, 3, 4)", "a.movedim(0, -1)"),
    "randn, gradient": ("", "t.randn(3, 4, requires_grad=True)"),
    "data": ("a = t.rand(4, requires_grad=True)", "a.data"),
    "cpu()": ("a = t.rand(4)", "a.cpu()"),
    "max_pool1d": ("a = t.rand(1, 2, 12)", "t.nn.functional.max_pool1d(a, 2)"),
    "GroupNorm": ("m, x = t.nn.GroupNorm(2, 4), t.rand(2, 4, 3)", "m(x)"),
}  # fmt: skip


def step(prepare: str, text: str, torch: Any, loops: int) -> Callable[[], None]:
    """``loops`` times the expression."""
    names: dict[str, Any] = {"t": torch}
    exec(prepare, names)
    lines = "\n".join(["def run():", f"    for _ in range({loops}):", f"        {text}"])
    exec(compile(lines, "<benchmark>", "exec"), names)
    run: Callable[[], None] = names["run"]
    return run


def main(arguments: list[str]) -> int:
    from microtorch.backends import core

    core.set_num_threads(1)
    libraries = [importlib.import_module("microtorch")]
    try:
        libraries.append(importlib.import_module("torch"))
        libraries[1].set_num_threads(1)
    except ImportError:
        print("PyTorch is not installed: the times are shown without ratios.", file=sys.stderr)
    rows = []
    for name, row in ROWS.items():
        if arguments and name not in arguments:
            continue
        [one] = fastest([step(*row, libraries[0], 1)], 0.01)
        loops = max(1, min(LOOPS, int(TURN / one)))
        times = fastest([step(*row, library, loops) for library in libraries], 0.4)
        rows.append((times[0] / times[-1], name, [t / loops for t in times]))
    print(f"{'statement':20} {'microtorch':>11} {'PyTorch':>11} {'ratio':>7}")
    for ratio, name, times in sorted(rows, reverse=True):
        figures = " ".join(f"{t * 1e6:8.2f} us" for t in times)
        print(f"{name:20} {figures} {f'{ratio:7.2f}' if len(times) > 1 else ''}")
    return 0
