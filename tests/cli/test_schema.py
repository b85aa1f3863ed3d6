"""share/pipeline.schema.json says of pipeline files what the command says: the same keys at each place, the
examples are right, and what is wrong in its shape is wrong for both."""

import json
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import support

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
KNOWN = {"$schema", "title", "description", "$defs", "$ref", "type", "enum", "pattern", "properties", "required",
         "additionalProperties", "minProperties", "maxProperties", "items", "minItems", "minimum", "maximum", "oneOf"}


def has_type(value, name):
    if isinstance(value, bool) and name != "boolean":
        return False
    return isinstance(value, TYPES[name])


class Schema:
    """As much of JSON Schema as the file uses; anything else in it is an error."""

    def __init__(self, root):
        self.root = root

    def resolve(self, schema):
        assert set(schema) <= KNOWN, set(schema) - KNOWN
        if "$ref" not in schema:
            return schema
        target = self.root["$defs"][re.fullmatch(r"#/\$defs/(\w+)", schema["$ref"]).group(1)]
        return self.resolve(target)

    def fits(self, value, schema):
        schema = self.resolve(schema)
        types = schema.get("type", [])
        if types and not any(has_type(value, name) for name in ([types] if isinstance(types, str) else types)):
            return False
        if "enum" in schema and value not in schema["enum"]:
            return False
        if "oneOf" in schema and sum(self.fits(value, one) for one in schema["oneOf"]) != 1:
            return False
        if isinstance(value, str):
            return re.search(schema.get("pattern", ""), value) is not None
        if isinstance(value, (int, float)):
            return schema.get("minimum", value) <= value <= schema.get("maximum", value)
        if isinstance(value, list):
            return len(value) >= schema.get("minItems", 0) and all(
                self.fits(item, schema.get("items", {})) for item in value)
        return not isinstance(value, dict) or self.fits_object(value, schema)

    def fits_object(self, value, schema):
        known = schema.get("properties", {})
        other = schema.get("additionalProperties", {})
        if not set(schema.get("required", [])) <= set(value):
            return False
        if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value)):
            return False
        for key, item in value.items():
            one = known.get(key, other)
            if one is False or not self.fits(item, one):
                return False
        return True


def step(text):
    return "pipeline: p\nsteps:\n  a: %s\n" % text


# A file with an unknown key at each place, and where the schema speaks of that place.
PLACES = {
    None: "zzzzzzzz: 1\n" + step("{command: [x]}"),
    "command_step": step("{command: [x], zzzzzzzz: 1}"),
    "function_step": step("{function: f, zzzzzzzz: 1}"),
    "decide_step": step("{decide: {metric: a.b}, zzzzzzzz: 1}"),
    "deploy_step": step("{deploy: {model_name: m, model_uri: ./m}, zzzzzzzz: 1}"),
    "decide": step("{decide: {zzzzzzzz: 1}}"),
    "deploy": step("{deploy: {zzzzzzzz: 1}}"),
    "retries": step("{command: [x], retries: {zzzzzzzz: 1}}"),
    "schedule": "schedule: {zzzzzzzz: 1}\n" + step("{command: [x]}"),
}

RIGHT = [
    step("{command: [sh, 7, true], timeout: 1h30m, retries: {max: 3, delay: 5s, backoff: 1.5, max_delay: 1m}}"),
    "jobs: 64\non_crash: fail\non_failure: [x]\nparams: {a: 1, b: [x]}\n" + step("{command: [x], cache: false}"),
    "schedule: {interval: 60s, start: now, end: +10m, catchup: all, overlap: buffer_all}\n" + step("{command: [x]}"),
    "schedule: {cron: 30 2 * * mon-fri, timezone: Europe/Paris, dialect: cronos}\n" + step("{command: [x]}"),
    "schedule: {cron: '0 0 12 * * * 2099', seconds: true, year: true, start: now, catchup: all}\n" + step("{command: [x]}"),
    step("{deploy: {model_name: m, model_uri: ./m, options: {workers: 1}, replace: true}}"),
    step("{deploy: {model_name: m, model_uri: ./m, options: {environment: {A: x, B: 1}}}}"),
]
WRONG = [
    "steps: {a: {command: [x]}}\n", "pipeline: p\n", "pipeline: p\nsteps: {}\n", "pipeline: p\nsteps: [a]\n",
    "pipeline: [p]\n" + step("{command: [x]}")[12:], step("{}"), step("[x]"), step("{command: x}"),
    step("{command: []}"), step("{command: [[x]]}"), step("{command: [x], function: f}"),
    step("{command: [x], decide: {metric: a.b}}"), step("{function: f, cache: true}"), step("{function: [f]}"),
    step("{command: [x], timeout: [1s]}"), step("{command: [x], cache: 1}"), step("{command: [x], inputs: [a.b]}"),
    step("{command: [x], inputs: {a: b}}"), step("{command: [x], retries: 3}"), step("{command: [x], after: b}"),
    step("{command: [x], retries: {max: -1}}"), step("{command: [x], retries: {max: 101}}"),
    step("{command: [x], retries: {max: 1.5}}"), step("{command: [x], retries: {backoff: 0.5}}"),
    step("{command: [x], retries: {backoff: 101}}"), step("{decide: {threshold: 1}}"), step("{decide: x}"),
    step("{decide: {metric: a}}"), step("{deploy: {model_name: m}}"), step("{deploy: {model_uri: ./m}}"),
    step("{deploy: {model_name: m, model_uri: ./m, options: [a]}}"),
    step("{deploy: {model_name: m, model_uri: ./m, options: {a: [x]}}}"),
    step("{deploy: {model_name: m, model_uri: ./m, replace: 2}}"), "jobs: 0\n" + step("{command: [x]}"),
    "jobs: 65\n" + step("{command: [x]}"), "on_crash: no_idea\n" + step("{command: [x]}"),
    "on_failure: x\n" + step("{command: [x]}"), "params: [x]\n" + step("{command: [x]}"),
    "schedule: {}\n" + step("{command: [x]}"), "schedule: {interval: 1s, catchup: no_idea}\n" + step("{command: [x]}"),
    "schedule: {interval: 1s, overlap: no_idea}\n" + step("{command: [x]}"),
    "schedule: {interval: 1s, cron: '@daily'}\n" + step("{command: [x]}"),
    "schedule: {interval: 1s, timezone: UTC}\n" + step("{command: [x]}"),
    "schedule: {cron: '@daily', dialect: no_idea}\n" + step("{command: [x]}"),
    "schedule: {cron: [1]}\n" + step("{command: [x]}"), "schedule: {cron: '@daily', year: 1}\n" + step("{command: [x]}"),
    "schedule: {timezone: UTC}\n" + step("{command: [x]}"),
]


class PipelineSchema(support.HomeCase):
    def setUp(self):
        super().setUp()
        with open(os.path.join(support.SOURCE, "share", "pipeline.schema.json"), encoding="utf-8") as file:
            self.schema = Schema(json.load(file))

    def validate(self, text, status):
        return self.home.run("pipeline", "validate", self.home.file("p.yaml", text), status=status)

    def right(self, texts):
        """-> of each, whether it fits. The Python of the rig has the reader of YAML."""
        code = "import json, sys, yaml; print(json.dumps([yaml.safe_load(t) for t in json.load(sys.stdin)]))"
        said = subprocess.run([support.PYTHON, "-c", code], input=json.dumps(texts), stdout=subprocess.PIPE,
                              encoding="utf-8", timeout=support.SAFETY, check=True).stdout
        return [self.schema.fits(value, self.schema.root) for value in json.loads(said)]

    def test_the_same_keys(self):
        for place, text in PLACES.items():
            with self.subTest(place=place):
                said = re.search(r"it may have: (.*)", self.validate(text, 2).err).group(1)
                keys = set(said.split(", "))
                there = self.schema.root["$defs"][place] if place else self.schema.root
                self.assertEqual(keys, set(there["properties"]))
                self.assertIs(there["additionalProperties"], False)

    def test_each_part_is_used(self):
        used = re.findall(r"#/\$defs/(\w+)", json.dumps(self.schema.root))
        self.assertEqual(set(used), set(self.schema.root["$defs"]))

    def test_what_is_right(self):
        for name in ("pipeline.yaml", "registry.yaml"):
            with open(os.path.join(support.SOURCE, "examples", "digits", name), encoding="utf-8") as file:
                self.assertEqual(self.right([file.read()]), [True], name)
        for text, right in zip(RIGHT, self.right(RIGHT)):
            with self.subTest(text=text):
                self.validate(text, 0)
                self.assertTrue(right)

    def test_what_is_wrong(self):
        for text, right in zip(WRONG, self.right(WRONG)):
            with self.subTest(text=text):
                self.validate(text, 2)
                self.assertFalse(right)


if __name__ == "__main__":
    unittest.main()
