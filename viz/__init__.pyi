"""The public names of microtorch.viz, for type checkers: the module loads them when first used."""
from .asking.changes import diff as diff
from .asking.crash import draw_error as draw_error, draw_errors as draw_errors
from .asking.explain import explain_grad as explain_grad
from .asking.recording import record as record
from .asking.zooming import Zoom as Zoom, expand as expand, zoom as zoom
from .drawing.picture import Graph as Graph, draw as draw, draw_dot as draw_dot, make_dot as make_dot
from .drawing.render import RenderError as RenderError
from .reading.trace import GraphTooLarge as GraphTooLarge, Trace as Trace
from .showing.stepper import Stepper as Stepper, quiz as quiz, step as step
from .telling.differences import check as check
from .telling.table import trace as trace
