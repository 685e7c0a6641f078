"""Renders the corpus by Python's Jinja, set up as transformers does it, and compares with what render.mjs wrote.

Where they agree nothing changes. Where they differ Python's answer counts, and the other stays beside it as "javascript".
"""
import datetime
import json
import pathlib
import sys

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

TESTS = pathlib.Path(__file__).parent.parent / "Kvasir.Tests/Templates"
CORPUS = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else TESTS / "corpus"
GOLDEN = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else TESTS / "golden"


class Raised(Exception):
    """What the template itself has to say."""


class Generation(jinja2.ext.Extension):
    """The block that marks what the model generated; its text is what counts here."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.Scope(body, lineno=line)


def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def raise_exception(message):
    raise Raised(message)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = to_json
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda form: datetime.datetime(2025, 7, 4, 9, 5).strftime(form)
    return env


def render(env, source, values):
    try:
        return {"text": env.from_string(source).render(**values)}
    except Raised as raised:
        return {"raised": str(raised)}
    except Exception as error:
        return {"fails": f"{type(error).__name__}: {error}".split("\n")[0]}


def merge(case, key, python):
    """The case with Python's answer. The texts of errors are only compared where they are the template's own."""
    javascript = {name: case[name] for name in ("text", "fails") if name in case}
    same = "fails" in javascript if "fails" in python else list(javascript.values()) == list(python.values())
    return {key: case[key], **python, **({} if same else {"javascript": javascript})}


def main():
    env = environment()
    variables = json.loads((TESTS / "corpus/conversations.json").read_text("utf8"))
    for path in sorted(GOLDEN.glob("*.json")):
        cases = json.loads(path.read_text("utf8"))
        if path.stem == "language":
            merged = [merge(case, "source", render(env, case["source"], variables["language"])) for case in cases]
        else:
            source = (CORPUS / f"{path.stem}.jinja").read_text("utf8")
            merged = [merge(case, "conversation", render(env, source, variables["conversations"][case["conversation"]])) for case in cases]
        path.write_text(json.dumps(merged, ensure_ascii=False, indent=1) + "\n", "utf8")
        print(f"{path.stem}: {sum('javascript' in case for case in merged)} of {len(merged)} differ")


if __name__ == "__main__":
    main()
