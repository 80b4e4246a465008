"""What every number of ranks refuses, one too: what is called, the error, a word of it."""

import microtorch as torch
import microtorch.distributed as dist


def cases(n):
    """(call, class, words) for a group of ``n``; each raises before anything is sent."""
    ints, floats = torch.ones(2, dtype=torch.int64), torch.ones(2)
    phases, wide = torch.ones(2, dtype=torch.complex64), torch.ones(3)
    op = dist.ReduceOp
    last = dist.get_rank() == n - 1
    many, none = [floats.clone() for _ in range(n)], [None] * n
    averaged = [
        lambda t, o: dist.all_reduce(t, op=o),
        lambda t, o: dist.reduce(t, n - 1, o),
        lambda t, o: dist.reduce_scatter(t, [t.clone() for _ in range(n)], o),
        lambda t, o: dist.reduce_scatter_tensor(t, torch.cat([t] * n), o),
    ]
    for call in averaged:
        yield lambda call=call: call(ints, op.AVG), RuntimeError, "cannot average integers"
        yield lambda call=call: call(ints > 0, op.AVG), RuntimeError, "cannot average integers"
        for o in (op.BAND, op.BOR, op.BXOR):
            yield lambda call=call, o=o: call(floats, o), RuntimeError, "cannot use ReduceOp"
        yield lambda call=call: call(phases, op.MAX), (ValueError, RuntimeError), "complex"
        yield lambda call=call: call(floats, "sum"), TypeError, "ReduceOp"
    for rank in (n, -1):
        for call in (
            lambda r: dist.broadcast(floats, r),
            lambda r: dist.reduce(floats, r),
            lambda r: dist.gather(floats, None, r),
            lambda r: dist.scatter(floats, None, r),
            lambda r: dist.send(floats, r),
            lambda r: dist.recv(floats, r),
            lambda r: dist.broadcast_object_list([1], r),
            lambda r: dist.gather_object(1, None, r),
            lambda r: dist.scatter_object_list([1], None, r),
            lambda r: dist.send_object_list([1], r),
            lambda r: dist.recv_object_list([1], r),
        ):
            yield lambda call=call, r=rank: call(r), RuntimeError, f"invalid rank {rank}"
    me = dist.get_rank()
    for call in (dist.send, dist.recv):
        yield lambda call=call: call(floats, me), ValueError, "this rank itself"
    yield lambda: dist.broadcast(floats), ValueError, "Must specify"
    yield lambda: dist.all_reduce([1.0]), TypeError, "torch.Tensor"
    yield lambda: dist.all_gather(floats, floats), TypeError, "List"
    short, strange = many[1:], [wide] * n
    for tensors, words in ((short, "one tensor per rank"), (strange, "must have shape")):
        yield lambda x=tensors: dist.all_gather(x, floats), (RuntimeError, ValueError), words
        yield (
            lambda x=tensors: dist.reduce_scatter(floats, x), (RuntimeError, ValueError), words,
        )  # fmt: skip
    yield lambda: dist.all_gather([ints] * n, floats), ValueError, "different dtypes"
    yield lambda: dist.all_gather_into_tensor(wide, floats), ValueError, "world_size times"
    yield lambda: dist.reduce_scatter_tensor(wide, floats), ValueError, "world size"
    yield lambda: dist.all_to_all(short, many), ValueError, "two lists"
    yield lambda: dist.all_to_all(many, [ints] * n), ValueError, "different dtypes"
    yield lambda: dist.all_to_all(many, strange), RuntimeError, "must fit"
    yield lambda: dist.all_to_all_single(wide, wide, [1] * n, [2] * n), RuntimeError, "be split"
    if last:  # the one that gives, or takes
        yield lambda: dist.gather(floats, None, me), ValueError, "must be specified"
        yield lambda: dist.gather(floats, strange, me), ValueError, "must have shape"
        yield lambda: dist.scatter(floats, None, me), ValueError, "must be specified"
        yield lambda: dist.scatter(floats, strange, me), ValueError, "must have shape"
        yield lambda: dist.gather_object(1, None, me), ValueError, "must be specified"
        yield lambda: dist.scatter_object_list(none, None, me), ValueError, "must provide"
        yield lambda: dist.scatter_object_list(none, [0] * (n + 1), me), RuntimeError, "ranks"


def check(n):
    """Raises AssertionError for the first that is done, or refused in other words."""
    for i, (call, kind, words) in enumerate(cases(n)):
        try:
            call()
        except kind as error:
            assert words in str(error), (i, words, error)
        else:
            raise AssertionError(f"case {i} of {n} ranks is not refused: {words}")
