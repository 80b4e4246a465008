"""What the placeholders and the outputs of an exported program are, under PyTorch's names."""
from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class InputKind(Enum):
    """What an input of the program is."""

    USER_INPUT = 1
    PARAMETER = 2
    BUFFER = 3
    CONSTANT_TENSOR = 4


class OutputKind(Enum):
    """What an output of the program is."""

    USER_OUTPUT = 1
    BUFFER_MUTATION = 3


class TensorArgument(NamedTuple):
    """A tensor, by the name of its node."""

    name: str


class InputSpec(NamedTuple):
    """An input: its node, what it is, and of a weight the path in the model."""

    kind: InputKind
    arg: TensorArgument
    target: str | None = None
    persistent: bool | None = None

    def __str__(self) -> str:
        target = "" if self.target is None else f" target={self.target!r}"
        kept = "" if self.persistent is None else f" persistent={self.persistent}"
        return f"{self.arg.name}: {self.kind.name}{target}{kept}"


class OutputSpec(NamedTuple):
    """An output: its node, and what it is."""

    kind: OutputKind
    arg: TensorArgument
    target: str | None = None

    def __str__(self) -> str:
        target = "" if self.target is None else f" target={self.target!r}"
        return f"{self.arg.name}: {self.kind.name}{target}"


class ExportGraphSignature:
    """What the placeholders and the outputs of a program are."""

    def __init__(self, input_specs: list[InputSpec], output_specs: list[OutputSpec]) -> None:
        self.input_specs, self.output_specs = input_specs, output_specs

    def _of(self, kind: InputKind) -> dict[str, str]:
        return {s.arg.name: s.target or "" for s in self.input_specs if s.kind is kind}

    @property
    def inputs_to_parameters(self) -> dict[str, str]:
        """The model's name of each placeholder that is a parameter."""
        return self._of(InputKind.PARAMETER)

    @property
    def inputs_to_buffers(self) -> dict[str, str]:
        """The model's name of each placeholder that is a buffer."""
        return self._of(InputKind.BUFFER)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters, by their names in the model."""
        return tuple(self.inputs_to_parameters.values())

    @property
    def buffers(self) -> tuple[str, ...]:
        """The buffers, by their names in the model."""
        return tuple(self.inputs_to_buffers.values())

    @property
    def lifted_tensor_constants(self) -> tuple[str, ...]:
        """Other tensors that the model reads."""
        return tuple(self._of(InputKind.CONSTANT_TENSOR).values())

    @property
    def user_inputs(self) -> tuple[str, ...]:
        """The nodes of what the caller gives."""
        return tuple(self._of(InputKind.USER_INPUT))

    @property
    def user_outputs(self) -> tuple[str, ...]:
        """The nodes of what the caller gets."""
        return tuple(s.arg.name for s in self.output_specs if s.kind is OutputKind.USER_OUTPUT)

    @property
    def buffers_to_mutate(self) -> dict[str, str]:
        """The buffers that the program writes to, by the node of their new value."""
        return {s.arg.name: s.target or "" for s in self.output_specs
                if s.kind is OutputKind.BUFFER_MUTATION}  # fmt: skip

    def __str__(self) -> str:
        given = "\n".join(map(str, self.input_specs))
        made = "\n".join(map(str, self.output_specs))
        return f"\n# inputs\n{given}\n\n# outputs\n{made}\n"

    __repr__ = __str__
