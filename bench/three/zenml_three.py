"""The pipeline of three.yaml for ZenML: zenml_three.py cached|uncached [RUNS]. With RUNS, runs it so many times in
this process and prints the CPU seconds of each, one a line."""

import sys
import time

from zenml import pipeline, step


@step
def load() -> int:
    return 150


@step
def train(rows: int) -> float:
    return 0.5


@step
def evaluate(weight: float) -> float:
    return 0.9


@pipeline(enable_cache=sys.argv[1] == "cached")
def three():
    evaluate(train(load()))


for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 1):
    began = time.process_time()
    run = three()
    if len(sys.argv) > 2:
        print("cpu %.6f" % (time.process_time() - began))
if len(sys.argv) > 2:
    print("steps " + " ".join({step.status.value for step in run.steps.values()}))
