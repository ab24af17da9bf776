#!/usr/bin/env python3
"""The chat templates of .litertlm files under minijinja, jinja2 and LiteRT-LM itself.

usage: metadata_oracle_test.py PITH SHARED

SHARED/golden/text/chat.jsonl holds what the published Qwen3 template makes of conversations. Exit 0 passed, 77 skipped,
else failed.
"""
import glob
import json
import pathlib
import re
import sys

SHARED = pathlib.Path(sys.argv[2])
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CHAT = SHARED / "golden/text/chat.jsonl"
FAILURES = []


def skip(reason):
    print(reason)
    sys.exit(77)


def check(name, found, expected):
    if found != expected:
        FAILURES.append(name)
        if len(FAILURES) <= 3:
            print(f"{name}:\n  found    {found!r}\n  expected {expected!r}")


try:
    import jinja2.sandbox
    import minijinja
except ImportError as e:
    skip(f"no module {e.name}")
if not CHAT.exists():
    skip(f"no {CHAT.name} in the shared folder")


def template(name, **variables):
    """The text that goes into a file: variables in front, as BuildQwen3Metadata writes them."""
    head = "".join("{%%- set %s = %s %%}\n" % (k, json.dumps(v)) for k, v in variables.items())
    return head + (ROOT / "src/convert" / (name + ".jinja")).read_text()


def tojson(value):  # as LiteRT-LM and transformers define it
    return json.dumps(value, ensure_ascii=False)


def with_minijinja(text, trim):
    env = minijinja.Environment()
    env.pycompat = False
    env.trim_blocks = env.lstrip_blocks = trim
    env.add_filter("tojson", tojson)
    env.add_template("chat", text)
    return lambda context: env.render_template("chat", **context)


def with_jinja2(text, trim):
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=trim, lstrip_blocks=trim)
    env.filters["tojson"] = tojson
    env.filters["split"] = lambda value, separator: value.split(separator)  # minijinja has it, jinja2 has not
    compiled = env.from_string(text)
    return lambda context: compiled.render(**context)


RENDERERS = {
    f"{engine.__name__} trim_blocks={trim}": lambda text, e=engine, t=trim: e(text, t)
    for engine in (with_minijinja, with_jinja2)
    for trim in (False, True)  # LiteRT-LM has it set
}


def context_of(row, **more):
    context = {"messages": row["messages"], "add_generation_prompt": row["add_generation_prompt"], **more}
    if row["tools"]:
        context["tools"] = row["tools"]
    if row["enable_thinking"] is not None:
        context["enable_thinking"] = row["enable_thinking"]
    return context


def other_form(row):
    """The same conversation as the runtime may write it: role model, content in parts."""
    messages = json.loads(json.dumps(row["messages"]))
    for m in messages:
        m["role"] = "model" if m["role"] == "assistant" else m["role"]
        m["content"] = [{"type": "text", "text": m["content"][:3]}, {"type": "text", "text": m["content"][3:]}]
    return {**row, "messages": messages}


def without_last_thoughts(row):
    """The expected text less the thoughts of an assistant turn that ends the conversation."""
    if row["messages"][-1]["role"] != "assistant":
        return row["text"]
    return re.sub(r"<think>\n[^<]*\n</think>\n\n(?!$)", "", row["text"], count=1)


def test_qwen3(rows):
    for name, renderer in RENDERERS.items():
        render = renderer(template("qwen3_chat_template", default_system="", thinking="switch"))
        for row in rows:
            label = f"{name}: {row['name']}"
            check(label + ", published form", render(context_of(row, keep_last_thinking=True)), row["text"])
            check(label, render(context_of(row)), without_last_thoughts(row))
            check(label + ", parts", render(context_of(other_form(row))), without_last_thoughts(row))
            # What the runtime relies on: the history is how any longer conversation begins. A turn of tool
            # responses may still grow.
            whole = render(context_of(row))
            for n in range(1, len(row["messages"])):
                if row["messages"][n - 1]["role"] == row["messages"][n]["role"] == "tool":
                    continue
                part = {**row, "messages": row["messages"][:n], "add_generation_prompt": False}
                check(label + f", first {n}", whole[: len(render(context_of(part)))], render(context_of(part)))


def test_variables():
    user = {"messages": [{"role": "user", "content": "Hi"}], "add_generation_prompt": True}
    turn = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    system = "<|im_start|>system\nBe brief.<|im_end|>\n"
    own = [{"role": "system", "content": "Own."}] + user["messages"]
    for name, renderer in RENDERERS.items():
        for form in ("qwen3_chat_template", "chatml_template"):
            render = renderer(template(form, default_system="Be brief.", thinking="never"))
            check(f"{name}: {form}, default system", render(user), system + turn)
            check(f"{name}: {form}, own system", render({**user, "messages": own}),
                  "<|im_start|>system\nOwn.<|im_end|>\n" + turn)
            check(f"{name}: {form}, no switch", render({**user, "enable_thinking": False}), system + turn)
        always = renderer(template("qwen3_chat_template", default_system="", thinking="always"))
        check(f"{name}: always thinks", always(user), turn + "<think>\n")
        plain = renderer(template("plain_template"))
        check(f"{name}: plain", plain({"messages": user["messages"] * 2, "add_generation_prompt": True}), "HiHi")


def test_responses():
    """Tool responses as LiteRT-LM's Python API sends them."""
    parts = [{"type": "tool_response", "name": "f", "response": r} for r in ({"t": 21}, "cold")]
    messages = [{"role": "user", "content": "?"}, {"role": "tool", "content": parts}]
    expected = ("<|im_start|>user\n?<|im_end|>\n<|im_start|>user\n<tool_response>\n{\"t\": 21}\n</tool_response>\n"
                "<tool_response>\ncold\n</tool_response><|im_end|>\n")
    for name, renderer in RENDERERS.items():
        render = renderer(template("qwen3_chat_template", default_system="", thinking="switch"))
        check(f"{name}: responses", render({"messages": messages, "add_generation_prompt": False}), expected)


def test_chatml(rows):
    plain = [r for r in rows if not r["tools"] and r["enable_thinking"] is not False]
    plain = [r for r in plain if all(set(m) == {"role", "content"} and "<think>" not in m["content"]
                                     for m in r["messages"] if m["role"] != "user")]
    for name, renderer in RENDERERS.items():
        render = renderer(template("chatml_template", default_system=""))
        for row in plain:
            check(f"{name}: chatml, {row['name']}", render(context_of(row)), row["text"])
            check(f"{name}: chatml, {row['name']}, parts", render(context_of(other_form(row))), row["text"])
    return len(plain)


def test_runtime(rows):
    """LiteRT-LM's own rendering, with the template given to a conversation. Returns how many rows it can say."""
    files = glob.glob(str(SHARED / "golden/litert/*.litertlm"))
    try:
        import litert_lm
    except ImportError:
        return 0
    if not files:
        return 0
    litert_lm.set_min_log_severity(litert_lm.LogSeverity.FATAL)
    engine = litert_lm.Engine(files[0], backend=litert_lm.Backend.CPU(), cache_dir=":nocache")
    text = template("qwen3_chat_template", default_system="", thinking="switch")

    class Described(litert_lm.Tool):
        def __init__(self, description):
            self.description = description

        def get_tool_description(self):
            return self.description

        def execute(self, param):
            return ""

    n = 0
    for row in rows:
        if not row["add_generation_prompt"] or row["messages"][-1]["role"] == "assistant":
            continue
        extra = {} if row["enable_thinking"] is None else {"enable_thinking": row["enable_thinking"]}
        with engine.create_conversation(messages=row["messages"][:-1], extra_context=extra, chat_template=text,
                                        tools=[Described(t) for t in row["tools"] or []]) as conversation:
            check(f"litert-lm: {row['name']}", conversation.render_message_to_string(row["messages"][-1]), row["text"])
        n += 1
    return n


def main():
    rows = [json.loads(line) for line in CHAT.open(encoding="utf-8")]
    test_qwen3(rows)
    test_variables()
    test_responses()
    n_chatml = test_chatml(rows)
    n_runtime = test_runtime(rows)
    print(f"{len(rows)} conversations under {len(RENDERERS)} renderers, {n_chatml} as plain ChatML, "
          f"{n_runtime} by LiteRT-LM")
    if FAILURES:
        print(f"{len(FAILURES)} differ")
        sys.exit(1)


main()
