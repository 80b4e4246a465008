"""Several processes on one machine, started by mpirun; and what is said when one fails."""

import importlib
import os
import pickle
import re
import tempfile
import time
from pathlib import Path

import pytest
from repository import ran

import microtorch as torch
from microtorch import distributed as dist
from microtorch import multiprocessing as mp
from microtorch import nn
from microtorch.distributed import run, spawned

PROGRAMS = Path(__file__).parent / "programs"


def start(n, program, *arguments, **variables):
    """Run a program in n processes; returns the exit status and what they printed."""
    command = ["-m", "microtorch.distributed.run", "--nproc_per_node", n, PROGRAMS / program]
    variables = {"OPENBLAS_NUM_THREADS": "1"} | variables
    done = ran(*command, *arguments, timeout=120, cwd=PROGRAMS, **variables)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.needs("mpi")
@pytest.mark.parametrize("program", ["collectives.py", "training.py"])
@pytest.mark.parametrize("n, debug", [(3, ""), (2, "DETAIL")])
def test_programs_of_several_ranks(n, program, debug):
    status, out = start(n, program, TORCH_DISTRIBUTED_DEBUG=debug)
    assert status == 0 and out.count("ok\n") == n, out


@pytest.mark.needs("mpi")
@pytest.mark.parametrize(
    "fault, words",
    [
        ("raises", ["rank 1 failed", "ValueError: rank 1 of 2", "faults.py"]),
        ("killed", ["rank 1", "signal 9"]),
        (
            "differs",
            [
                "rank 0: broadcast(shape=(3,)", "rank 1: all_reduce(shape=(3,)",
                "rank 0: all_reduce(shape=(3,)", "rank 1: all_reduce(shape=(4,)",
                "dtype=float32", "dtype=float64", "collective 3",
                "rank 0 did not come to a picture", "rank 1 did not come to a picture",
                "rank 0 did not come to the last picture",
            ],
        ),
        ("late", ["rank 1 did not come to collective 1, all_reduce"]),
    ],
)
def test_a_fault_of_one_rank_ends_all_and_is_named(fault, words):
    debug = "" if fault == "killed" else "DETAIL"  # MPI alone ends those who wait for it
    ranks = 3 if fault == "killed" else 2
    status, out = start(ranks, "faults.py", fault, TORCH_DISTRIBUTED_DEBUG=debug, RANK="7")
    assert status == 1 and all(w in out for w in words), out
    if fault == "killed":
        when, done = re.search(r"killed at (\S+) after (\d+)", out).groups()
        processes = [int(pid) for pid in re.findall(r"process (\d+)\n", out)]
        while any(map(alive, processes)):
            assert time.time() - float(when) < 10
            time.sleep(0.01)
        assert time.time() - float(when) < 10 and len(processes) == 3 and int(done) > 0


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.needs("mpi")
def test_spawned_processes_can_communicate_and_raise():
    done = ran(PROGRAMS / "spawning.py", timeout=120)
    assert done.returncode == 0 and "-- Process 1 terminated" in done.stdout, done.stderr
    assert "ValueError: the sum is 3" in done.stdout
    assert "[(0, 3), (1, 3)] [1.0, 2.0]" in done.stdout  # a queue and a shared tensor were sent
    assert "process 1 terminated with signal SIGKILL 1 -9 SIGKILL" in done.stdout


def of_several(rank, argument):
    """What spawn() is given; this module uses torch.distributed."""


@pytest.mark.needs("mpi")
def test_spawn_names_what_cannot_be_sent(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert spawned.wanted(of_several)
    with pytest.raises(Exception, match=r"args\[0\] \(a function\) cannot be sent") as caught:
        mp.spawn(of_several, args=(lambda: 0,), nprocs=2)
    assert isinstance(caught.value, (pickle.PicklingError, AttributeError))
    assert not list(tmp_path.iterdir())


def test_mpirun_names_who_ended_first():
    said = "noticed that process rank 3 with PID 11914 on node vm exited on\nsignal 9 (Killed)"
    assert spawned._blamed(said) == (3, 11914, "", 9)
    assert spawned._blamed("   Process name: [prterun-vm-11930@1,2]\n   Exit code:    7").rank == 2
    assert spawned._blamed("nothing of that").rank == -1


@pytest.fixture
def alone(monkeypatch):
    """One process, as torchrun would start it."""
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    dist.init_process_group("gloo")
    yield
    dist.destroy_process_group()


def test_one_process_needs_no_mpi(alone):
    x = torch.tensor([1.0, 2.0])
    dist.all_reduce(x)
    assert x.tolist() == [1, 2] and dist.get_world_size() == 1 and dist.get_backend() == "gloo"
    assert dist.get_backend() == dist.Backend.GLOO == dist.Backend("GLOO")
    with pytest.raises(ValueError, match="string-ish"):
        dist.Backend(3)
    parts = [torch.zeros(2)]
    dist.all_gather(parts, x)
    assert parts[0].tolist() == [1, 2]
    out = torch.zeros(2)
    dist.scatter(out, [x], src=0)
    assert out.tolist() == [1, 2]
    dist.barrier()
    net = nn.Linear(2, 1)
    ddp = nn.parallel.DistributedDataParallel(net)
    ddp(torch.ones(3, 2)).sum().backward()
    assert net.weight.grad.tolist() == [[3, 3]]


def test_errors_of_one_process(alone, monkeypatch):
    with pytest.raises(ValueError, match="twice"):
        dist.init_process_group("gloo")
    with pytest.raises(ValueError, match="no other rank"):
        dist.recv(torch.ones(1))
    monkeypatch.syspath_prepend(str(PROGRAMS))
    importlib.import_module("refused").check(1)  # as programs/collectives.py does with several


def test_backward_through_a_collective_warns(alone):
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    dist.all_reduce(y)
    with pytest.warns(UserWarning, match="as if it were not there.* from other ranks"):
        y.sum().backward()
    with torch.no_grad():
        dist.broadcast(x, 0)
    (x * 2).sum().backward()  # of a leaf nothing is said


def test_before_and_without_mpirun(monkeypatch):
    for variable in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ValueError, match="has not been initialized"):
        dist.get_rank()
    with pytest.raises(ValueError, match="RANK expected, but not set"):
        dist.init_process_group("gloo")
    with pytest.raises(ValueError, match="Invalid backend"):
        dist.init_process_group("smoke")
    with pytest.raises(RuntimeError, match="was not started by MPI"):
        dist.init_process_group("gloo", rank=0, world_size=4)
    assert not dist.is_initialized() and dist.is_available()


def test_data_parallel_is_the_module_under_another_name():
    m = nn.DataParallel(nn.Linear(2, 1))
    assert list(m.state_dict()) == ["module.weight", "module.bias"]
    assert m(torch.ones(3, 2)).shape == (3, 1)
    assert nn.parallel.data_parallel(m.module, torch.ones(3, 2)).shape == (3, 1)


@pytest.mark.needs("opencl")
def test_data_parallel_on_two_devices():
    done = ran(PROGRAMS / "two_devices.py", timeout=120, POCL_DEVICES="basic basic")
    if "two devices are needed" in done.stderr:
        pytest.skip("this driver cannot show one device as two")
    assert done.stdout == "ok\n", done.stderr


def test_the_launcher_reads_torchruns_arguments(capsys):
    a = run.arguments(["--nproc-per-node", "3", "--standalone", "train.py", "--epochs", "2"])
    assert (a.nproc_per_node, a.training_script) == (3, "train.py")
    assert a.training_script_args == ["--epochs", "2"]
    many = "--nnodes=1 --rdzv-backend=c10d --rdzv-endpoint=host:0 --max_restarts 3 --use_env t.py"
    assert run.arguments(many.split()).training_script == "t.py"
    many = "--nproc_per_node 2 --tee 3 --redirects 0 --max_restarts 3 no_such_file.py"
    assert run.main(many.split()) == 2
    said = capsys.readouterr().err
    assert "no file no_such_file.py" in said and "--redirects" not in said
    assert "--tee 3 has no effect" in said and "--max_restarts 3 has no effect" in said


@pytest.mark.parametrize(
    "given, words",
    [
        ("--nnodes 2", "--nnodes 2 needs --hostfile"),
        ("--nnodes 2 --node_rank 1 --hostfile hosts", "--node_rank 1: mpirun starts the processes"),
        ("--nnodes 0", "'0' is no number of processes"),
        ("--nproc_per_node 0", "'0' is no number of processes"),
        ("--nproc_per_node -1", "'-1' is no number of processes"),
        ("--nproc_per_node many", "give a number from 1, cpu or auto"),
        ("--nproc_per_node gpu", "there is no CUDA here"),
    ],
)
def test_what_the_launcher_cannot_start_it_refuses(given, words, capsys):
    with pytest.raises(SystemExit):
        run.arguments([*given.split(), "train.py"])
    assert words in capsys.readouterr().err


def test_mpis_ranks_win_over_stale_ones(monkeypatch):
    stale = {"RANK": "7", "WORLD_SIZE": "9", "LOCAL_RANK": "7", "ROLE_RANK": "7", "GROUP_RANK": "3"}
    theirs = {"PMI_RANK": "5", "OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"}
    monkeypatch.setattr(os, "environ", stale | theirs | {"OMPI_COMM_WORLD_LOCAL_RANK": "1"})
    assert dist.get_node_local_rank() == 1
    run.name_ranks()
    found = {name: os.environ[name] for name in (*stale, "ROLE_WORLD_SIZE")}
    assert found == {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "ROLE_RANK": "1",
                     "GROUP_RANK": "0", "ROLE_WORLD_SIZE": "2"}  # fmt: skip
