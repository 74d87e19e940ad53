"""Writes chat.json: what Python's Jinja makes of conversations, through transformers' own renderer.

    python make_chat_reference.py MODELS

Needs transformers, jinja2 and gguf. `smollm2` is the template in that model's GGUF file, which the test reads
there; the others are in templates/, written in the shape of well-known ones.
"""

import datetime
import json
import pathlib
import sys

from transformers.utils import chat_template_utils

HERE = pathlib.Path(__file__).parent
NOW = datetime.datetime(2026, 11, 24, 9, 30, 0)

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather <at> a place & time; it's free",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string"}, "days": {"type": "integer", "default": 1}},
            "required": ["place"],
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}

CONVERSATIONS = {
    "one question": dict(messages=[dict(role="user", content="Who are you?")]),
    "with a system message": dict(
        messages=[
            dict(role="system", content="Answer like a lighthouse keeper. "),
            dict(role="user", content="  How is the sea?\n"),
            dict(role="assistant", content="Grey, and in a mood."),
            dict(role="user", content="Größe 漢字 👍🏽 <b>&amp;</b> 'quoted' \"twice\"?"),
        ]
    ),
    "without the header of an answer": dict(
        messages=[dict(role="user", content="Hi"), dict(role="assistant", content="Hello")],
        add_generation_prompt=False,
    ),
    "thinking aloud": dict(
        messages=[
            dict(role="user", content="2+2?"),
            dict(role="assistant", content="<think>\nEasy.\n</think>\n\n4"),
            dict(role="user", content="And 3+3?"),
        ],
        extra=dict(enable_thinking=False),
    ),
}
TOOLS = {
    "tools": dict(
        messages=[
            dict(role="system", content="Be brief."),
            dict(role="user", content="Weather in Kiel?"),
            dict(
                role="assistant",
                content="",
                tool_calls=[
                    dict(id="c1", type="function", function=dict(name="weather", arguments=dict(place="Kiel", days=2)))
                ],
            ),
            dict(role="tool", content='{"sky": "grün"}', tool_call_id="c1", name="weather"),
        ],
        tools=[WEATHER, CLOCK],
    ),
}


def template_of(name, models):
    if name == "smollm2":
        import gguf

        fields = gguf.GGUFReader(models / "SmolLM2-135M-Instruct.Q4_1.gguf").fields
        return fields["tokenizer.chat_template"].contents()
    return (HERE / "templates" / f"{name}.jinja").read_text(encoding="utf-8")


def main():
    models = pathlib.Path(sys.argv[1])
    cases = []
    for name, bos, eos in [
        ("smollm2", "<|im_start|>", "<|im_end|>"),
        ("gemma_shape", "<bos>", "<eos>"),
        ("llama3_shape", "<|begin_of_text|>", "<|eot_id|>"),
        ("qwen3_shape", "", "<|im_end|>"),
        ("python_corners", "<s>", "</s>"),
    ]:
        template = chat_template_utils._compile_jinja_template(template_of(name, models))
        conversations = dict(CONVERSATIONS)
        if name in ("llama3_shape", "qwen3_shape"):
            conversations.update(TOOLS)
        for title, conversation in conversations.items():
            extra = conversation.get("extra", {})
            rendered = template.render(
                messages=conversation["messages"],
                tools=conversation.get("tools"),
                add_generation_prompt=conversation.get("add_generation_prompt", True),
                bos_token=bos,
                eos_token=eos,
                strftime_now=NOW.strftime,
                null_value=None,
                **extra,
            )
            cases.append(
                dict(
                    template=name,
                    title=title,
                    bos=bos,
                    eos=eos,
                    messages=conversation["messages"],
                    tools=conversation.get("tools", []),
                    add_generation_prompt=conversation.get("add_generation_prompt", True),
                    extra=extra,
                    rendered=rendered,
                )
            )
    (HERE / "chat.json").write_text(json.dumps(cases, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


main()
