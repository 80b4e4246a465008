"""`torch.utils.tensorboard.SummaryWriter`: what TensorBoard shows of a training run.

The writing is that of the library tensorboardX, which takes tensors of any library that numpy can
read. It is imported when the first writer is made.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ..base.errors import message
from ..handles.tensor import Tensor
from ..nn.module import Module

if TYPE_CHECKING:
    from ..base.types import Argument

__all__ = ["SummaryWriter"]
__path__: list[str] = []  # a package to Python, below which .writer is found


def _plain(value: Argument) -> Argument:
    """Tensors, also those in lists and dicts, as numpy arrays."""
    if isinstance(value, Tensor):
        return value.detach().cpu().numpy()
    if isinstance(value, dict):
        return {key: _plain(x) for key, x in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(x) for x in value)
    return value


class SummaryWriter:
    """Writes into the folder `log_dir`, by default runs/<time>_<machine>.

    Methods and arguments are those of tensorboardX, and so of PyTorch: `add_scalar(tag, value,
    global_step)`, `add_scalars`, `add_histogram`, `add_image`, `add_images`, `add_figure`,
    `add_text`, `add_embedding`, `add_hparams`, `flush`, `close`. ImportError where tensorboardX is
    not installed.
    """

    def __init__(
        self,
        log_dir: str | None = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: int = 120,
        filename_suffix: str = "",
        **settings: Argument,
    ) -> None:
        try:
            library = importlib.import_module("tensorboardX")
        except ImportError:
            raise ImportError(
                message(
                    "SummaryWriter needs the library tensorboardX, which is not installed",
                    fix="pip install tensorboardX",
                )
            ) from None
        self._writer = library.SummaryWriter(
            log_dir, comment, purge_step, max_queue, flush_secs, filename_suffix, **settings
        )
        self.log_dir: str = self._writer.logdir

    def get_logdir(self) -> str:
        """The folder."""
        return self.log_dir

    def add_graph(
        self, model: Module, input_to_model: Argument = None, verbose: bool = False,
        use_strict_trace: bool = True,
    ) -> None:  # fmt: skip
        """The graph of `model(*input_to_model)`, which is run once, in eval mode.

        `verbose` prints the nodes. `microtorch.viz.draw(model(x))` draws the same as a picture.
        """
        graph = importlib.import_module(f"{__package__}.tensorboard_graph").graph_of(
            model, input_to_model
        )
        if verbose:
            print(graph)
        self._writer._get_file_writer().add_onnx_graph(graph)

    def __getattr__(self, name: str) -> Argument:
        if name == "_writer":  # its making failed
            raise AttributeError(name)
        method = getattr(self._writer, name)
        if not name.startswith("add_"):
            return method

        def add(*args: Argument, **kwargs: Argument) -> Argument:
            return method(*_plain(args), **_plain(kwargs))

        return add

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
