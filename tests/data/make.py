"""Write the files that `tests/files/test_old_files.py` reads: pickles and saved files of old.

They were made once, by the version before modules moved to nn/layers, utils/data and files. Made
again they would name the places of today, and test nothing; this script says what is in them.

    values.pkl    tensors, parameters, dtype, device, Size, generator
    modules.pkl   whole modules, by name
    training.pkl  optimizers and schedulers with their state, and a dataset
    saved.pt      the same data through torch.save
"""

import pickle
from collections import OrderedDict
from pathlib import Path

import microtorch as torch
from microtorch import nn
from microtorch.utils.data import ConcatDataset, DataLoader, Subset, TensorDataset

HERE = Path(__file__).parent


def modules():
    torch.manual_seed(0)
    return {
        "sequential": nn.Sequential(
            nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.2), nn.Linear(4, 2, bias=False)
        ),
        "named": nn.Sequential(OrderedDict(a=nn.Flatten(), b=nn.Linear(3, 2))),
        "conv": nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect"),
        "transposed": nn.ConvTranspose1d(2, 1, 2),
        "pool": nn.ModuleList([nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1)]),
        "lstm": nn.LSTM(2, 3, num_layers=2, bidirectional=True),
        "gru": nn.GRUCell(2, 3),
        "norms": nn.ModuleDict(
            {"batch": nn.BatchNorm1d(3), "layer": nn.LayerNorm(3), "group": nn.GroupNorm(1, 3)}
        ),
        "embedding": nn.Embedding(4, 2, padding_idx=0),
        "encoder": nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0),
        "losses": nn.ModuleList(
            [nn.CrossEntropyLoss(torch.tensor([1.0, 2.0])), nn.MSELoss(), nn.HuberLoss()]
        ),
        "parameters": nn.ParameterList([torch.ones(2), torch.zeros(1)]),
        "activation": nn.Sequential(nn.PReLU(), nn.GELU("tanh"), nn.Softmax(1)),
    }


def training():
    torch.manual_seed(1)
    found = {}
    for name, make in {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        "adam": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
        "adamw": lambda p: torch.optim.AdamW(p),
        "rmsprop": lambda p: torch.optim.RMSprop(p, momentum=0.5, centered=True),
    }.items():
        p = nn.Parameter(torch.tensor([1.0, -2.0, 3.0]))
        optimizer = make([p])
        for _ in range(3):
            optimizer.zero_grad()
            (p * p).sum().backward()
            optimizer.step()
        found[name] = optimizer
    data = TensorDataset(torch.arange(6.0).reshape(3, 2), torch.arange(3))
    found["dataset"] = ConcatDataset([data, Subset(data, [2, 0])])
    found["loader"] = DataLoader(data, batch_size=2)
    found["schedule"] = torch.optim.lr_scheduler.StepLR(found["sgd"], 2).state_dict()
    return found


def values():
    t = torch.tensor([[1.5, -2.0], [0.25, 8.0]])
    return {
        "tensor": t,
        "leaf": t.clone().requires_grad_(),
        "parameter": nn.Parameter(t.clone()),
        "frozen": nn.Parameter(t.clone(), requires_grad=False),
        "integers": torch.tensor([1, 2, 3]),
        "bools": torch.tensor([True, False]),
        "half": torch.tensor(0.5, dtype=torch.float16),
        "dtype": torch.float64,
        "device": torch.device("cpu"),
        "size": t.shape,
        "generator": torch.Generator().manual_seed(7),
        "state_dict": modules()["sequential"].state_dict(),
    }


if __name__ == "__main__":
    made, state = values(), training()
    (HERE / "values.pkl").write_bytes(pickle.dumps(made, protocol=4))
    (HERE / "modules.pkl").write_bytes(pickle.dumps(modules(), protocol=4))
    (HERE / "training.pkl").write_bytes(pickle.dumps(state, protocol=4))
    del made["generator"]
    made["modules"] = {name: module.state_dict() for name, module in modules().items()}
    made["optimizers"] = {
        name: state[name].state_dict() for name in ("sgd", "adam", "adamw", "rmsprop")
    }
    torch.save(made, HERE / "saved.pt")
