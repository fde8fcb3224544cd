#!/usr/bin/python3
"""validate_json.py SCHEMA FILE...: whether JSON files are as a schema says. Status 0: all are; 1: one line an error.

A key that the schema does not describe is an error too: the schema lets readers ignore such keys, and
the programs must describe what they write."""
import json
import sys

import jsonschema


def forbid_unknown_keys(schema):
    if isinstance(schema, dict):
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            forbid_unknown_keys(value)
    elif isinstance(schema, list):
        for value in schema:
            forbid_unknown_keys(value)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    forbid_unknown_keys(schema)
    validator = jsonschema.Draft202012Validator(schema)
    failed = False
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        for error in validator.iter_errors(document):
            where = "/".join(str(part) for part in error.absolute_path)
            print(f"{path}: {where}: {error.message[:300]}")
            failed = True
    return 1 if failed else 0


sys.exit(main())
