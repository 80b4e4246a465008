"""The C file of a program: what stands above its functions and below them, and the names in it."""
from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from .c_text import wrapped
from .elements import HELPERS, LIBRARY
from .emit_c import Emitter
from .functions import VECTORS, floats, functions, needed, text_of, used

OFTEN = 8  # calls of a function

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from .program import Program
    from .region import Region


def source(
    program: Program, regions: list[Region], names: dict[int, str]
) -> tuple[str, list[Emitter]]:
    """The C file of a program's regions, and what wrote each of them."""
    n = sum(len({*map(id, r.calls)}) for r in regions)
    title = f"{program.name}: {n} of its {len(program.steps)} steps"
    written = [Emitter(program, r, names) for r in regions]
    texts = [e.text() for e in written]
    side = python_side([_called(e) for e in written])
    return "\n".join([head(title, written, texts), *texts, side]), written


def head(title: str, written: list[Emitter], texts: list[str]) -> str:
    """What stands above functions: the title, and the functions that they call."""
    called = {c for e in written for c in e.called}
    own = compiled_once(needed(called), "".join(texts))
    words = {*re.findall(r"\b(?:fast_(\w+)|(sigmoid|softplus)f)\(", own + "".join(texts))}
    shared = floats([x or y for x, y in words])
    below = "\n".join(x for x in [shared, own] if x)
    basics = used(text_of("basics"), below + "".join(texts))
    above = used(text_of("head"), "\n".join([basics, below, *texts])).replace("TITLE", title)
    return "\n".join(x for x in [above, basics, below] if x)


def compiled_once(own: str, texts: str) -> str:
    """The functions, of which those that are called often are not compiled anew for each call: that
    is half of the compiler's time for a deep net."""

    def written(m: re.Match[str]) -> str:
        often = len(re.findall(rf"\b{m[2]}\(", texts)) > OFTEN
        return f"static {m[1]}{m[2]}{m[3]}".replace("\n       ", "\n") if often else m[0]

    return re.sub(r"^static inline ([\w ]+?)(\w+)(\([^{]*)", written, own, flags=re.MULTILINE)


GLUE = "/* ---- what Python calls, with the addresses of its objects ---- */\n"
_MEANT = {
    "PyLong_FromLong": "void *PyLong_FromLong(long);",
    "PyEval_SaveThread": "void *PyEval_SaveThread(void), PyEval_RestoreThread(void *);",
    "DATA": "#define DATA(i) (*(void **)(a[i] + 2 * sizeof(void *))) /* of an array of numpy */",
    "NUMBER": "#define NUMBER(i) (*(double *)(a[i] + 2 * sizeof(void *))) /* of a float */",
    "CALLED": """\
#define CALLED(name, ...) \\
    void *call_##name(void *own, const size_t *a) { return PyLong_FromLong(name(__VA_ARGS__)); }""",
    "CALLED_LONG": """\
#define CALLED_LONG(name, ...) /* other threads of Python run meanwhile */ \\
    void *call_##name(void *self, const size_t *a) \\
    { \\
        void *const thread = PyEval_SaveThread(); \\
        const int failed = name(__VA_ARGS__); \\
        PyEval_RestoreThread(thread); \\
        return PyLong_FromLong(failed); \\
    }""",
}


def python_side(functions: Sequence[str]) -> str:
    """The functions ``glue``, and above them what they call."""
    words = {*re.findall(r"\w+", "".join(functions))}
    words.update(*(re.findall(r"\w+", _MEANT[word]) for word in words & {"CALLED", "CALLED_LONG"}))
    above = "".join(f"{text}\n" for word, text in _MEANT.items() if word in words)
    return "\n".join([GLUE + above, *functions])


def glue(name: str, given: Sequence[str], long: bool = False) -> str:
    """The function ``call_name`` for Python; what ``name`` is given, of the objects ``a``.

    ``long``: other threads of Python run meanwhile.
    """
    return wrapped(f"CALLED{'_LONG' * long}({', '.join([name, *given])})", 0) + "\n"


def _called(e: Emitter) -> str:
    """``a``: the arrays, then the learning rates, then the block."""
    r = e.region
    arrays, rates = len(r.takes) + len(r.gives), len(r.rates)
    given = [f"DATA({i})" for i in range(arrays)]
    given += [f"NUMBER({arrays + i})" for i in range(rates)]
    given += [f"DATA({arrays + rates})"] * (e.size() > 0)
    return glue(r.name, given, e.long)


# ---- names --------------------------------------------------------------------------------------
def unique(name: str, taken: Container[str]) -> str:
    """A name that C takes and that is not taken: ``weight``, ``weight_2``, ``weight_3``."""
    first = name = c_name(name)
    n = 1
    while name in taken:
        n += 1
        name = f"{first.rstrip('_')}_{n}"
    return name


def c_name(name: str) -> str:
    """A name that C takes."""
    name = re.sub(r"\W", "_", name, flags=re.ASCII)
    if not name[:1].isalpha():
        name = f"p{name}" if name[:1].isdigit() else f"p_{name.lstrip('_')}"
    return f"{name}_" if name in reserved() or OURS.fullmatch(name) else name


@cache
def reserved() -> frozenset[str]:
    """The names that mean something in a file: C's words and library, and what the text defines and
    calls, as function of double and of float."""
    parts = ("head", "basics", "floats", "shared", "main", "rows", "page")
    text = "\n".join([*map(text_of, parts), *functions().values(), floats(VECTORS)])
    defined = [*re.findall(r"#define (\w+)", text), "ROWS", "TILE"]
    called = {*re.findall(r"\b([a-z]\w+)@?\(", text), *LIBRARY.values(), *HELPERS}
    return frozenset({*WORDS, *defined, *called, *(f"{name}f" for name in called)})


OURS = re.compile(r"[vtib]\d+[a-z]?|(run_|call_)?(forward|backward|train|predict)(_\d+)?")
WORDS = (
    "auto break case char const continue default do double else enum extern float for goto if "
    "inline int long register restrict return short signed sizeof static struct switch typedef "
    "union unsigned void volatile while "
    # variables of the text
    "i j k total sum largest shift step steps block rows rows2 generator argc argv file heading "
    "weights inputs lr unused factor weight_sizes input_sizes arrays "
    # <math.h>, <stdio.h>, <stdlib.h>, <string.h>
    "NULL NAN INFINITY EOF FILE BUFSIZ RAND_MAX acosh asinh atanh cbrt copysign drem erf erfc "
    "exp10 fdim fma fmax fmin fpclassify frexp gamma hypot ilogb isfinite isinf isnan isnormal "
    "j0 j1 jn ldexp lgamma llrint llround logb lrint lround modf nan nearbyint nextafter "
    "nexttoward remquo rint round scalb scalbln scalbn signbit signgam significand tgamma y0 y1 "
    "yn clearerr dprintf fclose fdopen feof ferror fflush fgetc fgetpos fgets fileno fopen "
    "fputc fputs fread freopen fscanf fseek fsetpos ftell getc getchar getdelim getline gets "
    "perror popen printf putc putchar puts remove rename rewind scanf setbuf setvbuf snprintf "
    "sprintf sscanf stderr stdin stdout tempnam tmpfile tmpnam ungetc vfprintf vprintf abort "
    "abs atexit atof atol atoll bsearch calloc div environ exit free getenv labs ldiv llabs "
    "lldiv malloc mblen mbstowcs mktemp putenv qsort rand random realloc realpath select setenv "
    "setstate srand srandom strtod strtof strtol strtoll system unsetenv wctomb basename bcmp "
    "bcopy bzero ffs index memccpy memchr memcmp memmove memset rindex stpcpy strcat strchr "
    "strcmp strcoll strcpy strcspn strdup strerror strlen strncat strncmp strncpy strpbrk "
    "strrchr strsep strspn strstr strtok strxfrm time clock "
).split()
