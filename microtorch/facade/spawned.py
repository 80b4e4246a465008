"""The script's own process again: what multiprocessing runs where a process is spawned, not forked.

A spawned process runs the main program anew, as `__mp_main__`, to have its functions and classes. A
script under `microtorch run` says `import torch` there, too, so this module stands in its place
(alias.py enters it as the main program's module): it brings the alias back, then runs the script.
"""

import os

from microtorch.facade.alias import SCRIPT, alias_for_good

if __name__ == "__mp_main__" and SCRIPT in os.environ:
    alias_for_good()
    with open(os.environ[SCRIPT], "rb") as _file:
        # as in run_script: the script does not share this file's flags
        exec(compile(_file.read(), os.environ[SCRIPT], "exec", dont_inherit=True))
