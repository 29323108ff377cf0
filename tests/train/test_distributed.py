"""Two processes on a CPU, started as `accelerate launch` starts them, with the configurations that are shipped."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from accelerate.commands.launch import _validate_launch_command, launch_command_parser  # type: ignore[import-untyped]
from accelerate.utils.launch import prepare_multi_gpu_env  # type: ignore[import-untyped]
from safetensors.torch import load_file

import llavaplus_graph

RECIPES = Path(llavaplus_graph.__file__).parent / "train" / "recipes"
# Trains, takes the result and the last checkpoint away, and trains again from the checkpoint before.
RUN = """
import shutil, sys
from pathlib import Path
import torch
from llavaplus_graph.train import ranks
from llavaplus_graph.train.config import read_recipe
from llavaplus_graph.train.tune import tune

torch.set_num_threads(1)
recipe = read_recipe(Path(sys.argv[1]))
tune(recipe)
folder = recipe.out / "checkpoints" / "tuned"
if ranks.rank() == 0:
    (folder / "model.safetensors").rename(folder / "first.safetensors")
    shutil.rmtree(folder / "checkpoint-6")
ranks.meet()
tune(recipe)
ranks.part()
"""


def environment(config: str) -> dict[str, str]:
    """Give what accelerate puts into the environment for a configuration, without its GPUs."""
    parsed = launch_command_parser().parse_args(["--config_file", str(RECIPES / config), "script.py"])
    args, _, _ = _validate_launch_command(parsed)
    said = prepare_multi_gpu_env(args)
    chosen = {key: value for key, value in said.items() if key.startswith(("FSDP_", "ACCELERATE_"))}
    return {**os.environ, **chosen, "ACCELERATE_USE_CPU": "true", "ACCELERATE_MIXED_PRECISION": "no"}


def written(folder: Path, base: Path, released: Path) -> Path:
    """Write a recipe of one stage for a tiny base."""
    stage = {"name": "tuned", "trains": "all", "batch": 2, "epochs": 2, "learning_rate": 1e-2}
    data = [{"records": str(released / "records.json"), "images": [str(released / "pictures")]}]
    tuning = {"precision": "float32", "save_steps": 2, "log_steps": 1}
    body = {"out": str(folder / "run"), "base": str(base), "data": data, "stages": [stage], "tuning": tuning}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(body), "utf-8")
    return path


@pytest.mark.parametrize("config", ["accelerate.yaml", "fsdp.yaml"])
def test_two_processes_train_one_lmm_and_go_on_from_a_checkpoint_to_the_bit(
    config: str, base: Path, released: Path, tmp_path: Path
) -> None:
    recipe = written(tmp_path, base, released)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]
    run = subprocess.run(
        [*launch, sys.executable, "-c", RUN, str(recipe)],
        env={**environment(config), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-3_000:]
    folder = tmp_path / "run" / "checkpoints" / "tuned"
    history = json.loads((folder / "history.json").read_text("utf-8"))
    losses = [entry["loss"] for entry in history if "loss" in entry]
    assert len(losses) == 6  # twelve records twice, two at a time on two processes
    assert losses[-1] < losses[0]
    first, again = (load_file(folder / name) for name in ("first.safetensors", "model.safetensors"))
    assert all(torch.equal(weight, again[name]) for name, weight in first.items())
    assert (tmp_path / "run" / "export" / "model.safetensors").exists()
    states = sorted(path.name for path in (folder / "checkpoint-6").iterdir())
    assert "random-1.json" in states
    assert "optimizer.safetensors" in states
