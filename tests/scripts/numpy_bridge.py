"""Tensors and numpy arrays: shared memory, dtypes, indexing, shapes, the usual first lesson."""
import numpy as np

import microtorch as torch

a = np.arange(6, dtype=np.float32).reshape(2, 3)
t = torch.from_numpy(a)
a[0, 0] = 100
t[1, 2] += 5
print(t, a[1, 2], t.dtype, t.numpy() is not None)
print(np.shares_memory(torch.tensor(a).numpy(), a))

for data in (3, 3.0, [1, 2], [[1.5, 2], [3, 4]], [True, False], np.float64(1), np.arange(3)):
    v = torch.tensor(data)
    print(v, v.dtype, v.shape)
print(torch.zeros(2, 3).shape, torch.ones(2, dtype=torch.int64), torch.full((2, 2), 7), end=" ")
print(torch.eye(2), torch.arange(0, 10, 3))
print(torch.empty(0), torch.tensor(5).item(), torch.tensor([[1, 2], [3, 4]]).tolist())

m = torch.arange(12).reshape(3, 4)
print(m[1], m[:, 1], m[1:, ::2], m[..., -1], m[m > 6], m[[0, 2], [1, 3]], sep="\n")
print(m[:, None].shape, m.T.stride(), sep="\n")
m[m % 2 == 0] = -1
m[0, :2] = torch.tensor([50, 60])
print(m)
x = torch.arange(6.0)
y = x.view(2, 3)
y[0] = 9
print(x, y.t().is_contiguous(), y.t().contiguous().view(-1), x.data_ptr() == y.data_ptr())
print((x + 1).int(), x.mean(), x.std(), x.max(), x.argmax(), (x > 3).any(), end=" ")
print(x.sum().dtype, torch.tensor([1, 2]).sum().dtype)
print(torch.cat([x, x[:2]]), torch.stack([x, x]).shape, x.unsqueeze(0).shape, end=" ")
print(x.view(2, 3).permute(1, 0).shape, x.repeat(2).shape)
pair = torch.tensor([1, 2])
print(pair / 2, pair // 2, torch.tensor([7, -7]) % 3, pair * 1.5)
u, i = torch.tensor([[3, 1], [2, 5]]).max(dim=1)
print(u, i, torch.tensor([3, 1, 2]).sort(), torch.where(x > 4, x, 0.0), torch.clamp(x, 1, 3))
print(np.add(x.numpy(), 1), np.asarray(x).dtype, [float(v) for v in x[:2]], len(x), 9.0 in x)
big = torch.arange(2000.0).view(40, 50)
print(big, torch.tensor([1e-8, 1.0]), torch.tensor([1e10, 1.0]), end=" ")
print(torch.tensor(float("nan")), torch.tensor([]))
