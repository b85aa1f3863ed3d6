"""The step `check`: asks the service that the deploy step gave for all held-out images, over HTTP, as
its users do, and fails where it is right less often than the target."""

import argparse
import json
import os
import sys
import urllib.request

from data import held_out


def predict(url, images, timeout=30):
    """One request to an MLflow server: the predicted digits of these images."""
    request = urllib.request.Request(url, json.dumps({"inputs": images.tolist()}).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return json.load(answer)["predictions"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", type=float, default=0.9)
    args = parser.parse_args()
    with open(os.environ["CTCD_INPUTS"], encoding="utf-8") as inputs:
        service = json.load(inputs)["service"]

    images, labels = held_out(args.seed)
    predicted = predict(service["prediction_url"], images)
    accuracy = sum(int(p == l) for p, l in zip(predicted, labels)) / len(labels)
    print("the service {} is right on {:.1%} of {} images".format(
        service["uuid"], accuracy, len(labels)))
    with open(os.environ["CTCD_OUTPUTS"], "w", encoding="utf-8") as outputs:
        json.dump({"served_accuracy": accuracy}, outputs)
    return 0 if accuracy >= args.target else 1


if __name__ == "__main__":
    sys.exit(main())
