"""make_models.py DIR: saves the small MLflow models that the tests serve on real servers, good ones
and such as cannot be loaded or answer badly. Run with the environment of requirements.lock, or another one
that has MLflow 2.20 or later and scikit-learn.

    good_1          house prices learnt from 12 sales of which only the area is known (skops in MLflow 3)
    good_2          the same from 300 sales, better (cloudpickle)
    tensor          good_2 with a tensor signature: takes `instances` and `inputs` as nested lists
    slow            good_2, which takes 1.5 s for an answer
    broken          good_2 with a damaged model file
    missing_module  needs a Python module, house_features, that is not there where it is served
    nan             loads, and answers NaN to everything
    raises          loads, and raises a ValueError for everything
    dies            ends its process by SIGKILL each time that it is loaded; the file $DEATHS then says when

DIR/expected.json then holds a sample request and what each good model answers to it.
"""

import importlib.util
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
import warnings

# Nothing of a person's own MLflow settings may leak in, and nothing may be sent anywhere.
for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
    del os.environ[name]
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import mlflow.pyfunc
import mlflow.sklearn
import numpy
import pandas
from mlflow.models.signature import infer_signature
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

warnings.filterwarnings("ignore")
logging.getLogger("mlflow").setLevel(logging.ERROR)  # it warns of the pickles that are wanted here

SKOPS = "skops" if importlib.util.find_spec("skops") else "cloudpickle"  # MLflow 2.20 does not know it
REQUIREMENTS = ["mlflow-skinny", "scikit-learn"]  # given, so that MLflow does not try to find them out

HOUSE_FEATURES = '''
from sklearn.base import BaseEstimator, TransformerMixin


class PerRoom(TransformerMixin, BaseEstimator):
    """Adds the area per room, as the house's own feature code would."""

    def fit(self, houses, prices=None):
        return self

    def transform(self, houses):
        return houses.assign(per_room=houses["area"] / houses["rooms"])
'''


def sales(count):
    """Houses with what they were sold for, in thousands: the same ones at each call."""
    draw = numpy.random.default_rng(1)
    houses = pandas.DataFrame({"area": draw.uniform(40.0, 240.0, count).round(1),
                               "rooms": draw.integers(1, 9, count).astype(float)})
    prices = 50.0 + 2.0 * houses["area"] + 15.0 * houses["rooms"] + draw.normal(0.0, 5.0, count)
    return houses, prices


def save(model, path, inputs, serialization_format=SKOPS):
    mlflow.sklearn.save_model(model, path, serialization_format=serialization_format,
                              signature=infer_signature(inputs, model.predict(inputs)),
                              pip_requirements=REQUIREMENTS)


class Slow(mlflow.pyfunc.PythonModel):
    """A model that takes its time: a request to it is still open when its server is told to stop."""

    def __init__(self, model):
        self.model = model

    def predict(self, context, model_input: pandas.DataFrame, params=None):
        import time
        time.sleep(1.5)
        return self.model.predict(model_input)


class Raises(mlflow.pyfunc.PythonModel):
    """A model with a mistake in it."""

    def predict(self, context, model_input: pandas.DataFrame, params=None):
        raise ValueError("no house of this kind was ever sold")


class Dies(mlflow.pyfunc.PythonModel):
    """A model that takes more memory than there is, as far as its server can tell."""

    def load_context(self, context):
        if os.environ.get("DEATHS"):
            with open(os.environ["DEATHS"], "a", encoding="utf-8") as out:
                print(time.time(), file=out)
        os.kill(os.getpid(), signal.SIGKILL)

    def predict(self, context, model_input: pandas.DataFrame, params=None):
        return model_input


def save_missing_module(path, houses, prices):
    """The class is pickled by its name only, and its module is gone once this function returns."""
    folder = tempfile.mkdtemp()
    try:
        with open(os.path.join(folder, "house_features.py"), "w", encoding="utf-8") as module:
            module.write(HOUSE_FEATURES)
        sys.path.insert(0, folder)
        import house_features
        model = make_pipeline(house_features.PerRoom(), LinearRegression()).fit(houses, prices)
        save(model, path, houses, "cloudpickle")
    finally:
        sys.path.remove(folder)
        shutil.rmtree(folder)


def main():
    target = os.path.abspath(sys.argv[1])
    os.makedirs(target, exist_ok=True)
    os.chdir(target)  # MLflow 2 makes a folder mlruns where it is

    def at(name):
        path = os.path.join(target, name)
        shutil.rmtree(path, ignore_errors=True)
        return path

    houses, prices = sales(300)
    good_1 = LinearRegression().fit(houses[:12].assign(rooms=4.0), prices[:12])
    good_2 = LinearRegression().fit(houses, prices)
    save(good_1, at("good_1"), houses)
    save(good_2, at("good_2"), houses, "cloudpickle")
    tensor = LinearRegression().fit(houses.to_numpy(), prices)
    save(tensor, at("tensor"), houses.to_numpy())
    for name, model in {"slow": Slow(good_2), "raises": Raises(), "dies": Dies()}.items():
        mlflow.pyfunc.save_model(at(name), python_model=model, pip_requirements=REQUIREMENTS,
                                 signature=infer_signature(houses, good_2.predict(houses)))

    shutil.copytree(os.path.join(target, "good_2"), at("broken"))
    with open(os.path.join(target, "broken", "model.pkl"), "wb") as damaged:
        damaged.write(b"\x80\x04 this was a model once")
    save_missing_module(at("missing_module"), houses, prices)
    diverged = LinearRegression().fit(houses, prices)
    diverged.coef_ = numpy.full_like(diverged.coef_, numpy.nan)
    save(diverged, at("nan"), houses)

    sample = houses[:3]
    expected = {"request": {"dataframe_split": sample.to_dict(orient="split", index=False)},
                "good_1": good_1.predict(sample).tolist(), "good_2": good_2.predict(sample).tolist()}
    with open(os.path.join(target, "expected.json"), "w", encoding="utf-8") as out:
        json.dump(expected, out, indent=1)


if __name__ == "__main__":
    main()
