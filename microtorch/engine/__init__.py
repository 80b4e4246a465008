"""The engine: how an op is declared, run, recorded, and walked back.

Forward:

- ``op``        the declaration of an op; ``registry``: all ops by name; ``vjps``: its derivatives
- ``apply``     how an op runs; ``operands``: what the user gave, as Tensors of one
                dtype; ``record``: the one place where a node is made
- ``hot``       ``apply`` written out for one and two operands, and held equal to it by tests
- ``calling``   how a user's call is read; ``argument_types``: what may be given; ``mistakes``: what
                was wrong with a call that has failed
- ``basic_ops`` cast, clone, transfer; ``views``: a view and its base know each other

Backward:

- ``textbook``  backward in 28 lines, the definition
- ``backward``  the fast one, which does the same in three modes
- ``leaf``      where backward ends; ``gradient_hooks``: the user's hooks; ``checks``: values that
                are stale or freed; ``recorded``: the namespace that records derivatives in turn
"""
