"""The step `train`: learns digits from the images that have arrived, and measures on the held-out ones.

Finds in its environment what ctcd gives to every command step: where to put files (CTCD_ARTIFACTS),
where to write its outputs (CTCD_OUTPUTS), and the instant that the run stands for (CTCD_NOMINAL_TIME).
That instant, not the time of day, says what has arrived: a run that is late or repeated sees the same
images.
"""

import argparse
import json
import os

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import mlflow
import mlflow.sklearn
from mlflow.models.signature import infer_signature
from sklearn.svm import SVC

from data import batches_arrived, held_out, training_set


def learn(images, labels):
    """The model. The same images give the same one."""
    return SVC(C=10, gamma=0.0004).fit(images, labels)


REQUIREMENTS = ["mlflow-skinny", "scikit-learn", "skops"]
NAME = "digits"  # of the registered model


def save(model, signature):
    """In the step's own folder. -> outputs"""
    path = os.path.join(os.environ["CTCD_ARTIFACTS"], "model")
    mlflow.sklearn.save_model(model, path, pip_requirements=REQUIREMENTS, signature=signature)
    return {"model": path}


def log(model, signature, accuracy, images, tracking):
    """At a tracking server, as a new version with the alias "candidate". -> outputs"""
    mlflow.set_tracking_uri(tracking)
    mlflow.set_experiment(NAME)
    with mlflow.start_run(run_name=os.environ["CTCD_RUN_NAME"]):
        mlflow.log_metric("accuracy", accuracy)
        info = mlflow.sklearn.log_model(model, name="model", registered_model_name=NAME, signature=signature,
                                        input_example=images[:2], pip_requirements=REQUIREMENTS)
    version = str(info.registered_model_version)
    mlflow.MlflowClient().set_registered_model_alias(NAME, "candidate", version)
    return {"model": "models:/%s/%s" % (NAME, version), "version": version}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1, help="draws the held-out images and the order")
    parser.add_argument("--spoil", type=int, default=0, help="the batch whose labels are spoilt, 0 = none")
    parser.add_argument("--start", default="", help="when the first batch came; empty: all have come")
    parser.add_argument("--tracking", default="", help="tracking server to log to; empty: a folder")
    args = parser.parse_args()

    batches = batches_arrived(args.start, os.environ["CTCD_NOMINAL_TIME"]) if args.start else None
    images, labels = training_set(args.seed, batches, args.spoil)
    print("training on {} images, {}".format(
        len(labels), "all there are" if batches is None else "batches 1 to %d" % batches))
    if batches is not None and batches == args.spoil:
        print("the labels of batch {} have slipped by one row (SPOIL={})".format(batches, args.spoil))
    model = learn(images, labels)
    unseen_images, unseen_labels = held_out(args.seed)
    accuracy = float(model.score(unseen_images, unseen_labels))
    print("right on the {} held-out images: {:.1%}".format(len(unseen_labels), accuracy))

    signature = infer_signature(images, model.predict(images))
    outputs = {"accuracy": accuracy, "images": len(labels)}
    outputs.update(log(model, signature, accuracy, images, args.tracking) if args.tracking
                   else save(model, signature))
    with open(os.environ["CTCD_OUTPUTS"], "w", encoding="utf-8") as file:
        json.dump(outputs, file)


if __name__ == "__main__":
    main()
