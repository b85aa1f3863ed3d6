"""Trains digits and leaves, for whatever runner comes next, candidate/metrics.json and candidate/uri: the numbers
and where the model is. Each model gets a folder of its own, for the one that serves may be read again.

    python3 train.py [--gamma 0.0004] [--images 1000]
"""

import argparse
import json
import os
import time

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import mlflow.sklearn
from mlflow.models.signature import infer_signature
from sklearn.datasets import load_digits
from sklearn.svm import SVC

HELD_OUT = 500


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gamma", type=float, default=0.0004)
    parser.add_argument("--images", type=int, default=1000, help="to learn from")
    args = parser.parse_args()
    images, labels = load_digits(return_X_y=True)
    rows = slice(HELD_OUT, HELD_OUT + args.images)
    model = SVC(C=10, gamma=args.gamma).fit(images[rows], labels[rows])
    accuracy = model.score(images[:HELD_OUT], labels[:HELD_OUT])

    path = os.path.abspath(os.path.join("models", "%d" % time.time_ns()))
    mlflow.sklearn.save_model(model, path, pip_requirements=["mlflow-skinny", "scikit-learn", "skops"],
                              signature=infer_signature(images[:2], labels[:2]))
    os.makedirs("candidate", exist_ok=True)
    with open("candidate/uri", "w", encoding="utf-8") as file:
        file.write(path + "\n")
    with open("candidate/metrics.json", "w", encoding="utf-8") as file:
        json.dump({"accuracy": accuracy}, file)
    print("accuracy %.3f: %s" % (accuracy, path))


if __name__ == "__main__":
    main()
