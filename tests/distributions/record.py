"""Write recorded.json: what PyTorch computes for the cases. Run it where PyTorch is installed.

    python tests/distributions/record.py
"""

import json
import warnings
from pathlib import Path

import torch
import torch.distributions
from cases import CASES, observe
from numbers_for_a_seed import DRAWS, draw

HERE = Path(__file__).parent


def rounded(x):
    """15 digits are enough, and keep the file small."""
    if isinstance(x, dict):
        return {k: rounded(v) for k, v in x.items()}
    if isinstance(x, list):
        return [rounded(v) for v in x]
    return float(f"{x:.15g}") if isinstance(x, float) else x


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    out = {name: rounded(observe(text, torch)) for name, text in CASES.items()}
    draws = {name: draw(text, torch) for name, text in DRAWS.items()}
    text = json.dumps({"version": torch.__version__, "cases": out, "draws": draws})
    (HERE / "recorded.json").write_text(text.replace('], "', '],\n"') + "\n")
