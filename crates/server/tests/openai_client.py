"""What the official client must be able to do with the server. Run by openai_client.rs: URL and key as arguments."""

import concurrent.futures
import json
import sys

import openai

URL, KEY = sys.argv[1:]
client = openai.OpenAI(base_url=URL, api_key=KEY, max_retries=0, timeout=280)


def refused(status, code, call):
    try:
        call()
    except openai.APIStatusError as error:
        assert (error.status_code, error.code) == (status, code), error
    else:
        raise AssertionError(f"expected {status} {code}")


models = client.models.list().data
assert len(models) == 1, models
MODEL = models[0].id
assert client.models.retrieve(MODEL).id == MODEL
ASK = [{"role": "user", "content": "What is the capital of France?"}]

# Whole and streamed answers at temperature 0 say the same, with the same counts.
whole = client.chat.completions.create(model=MODEL, messages=ASK, temperature=0, max_tokens=24)
assert whole.choices[0].message.role == "assistant"
assert whole.choices[0].message.content.strip(), whole
assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
assert whole.choices[0].finish_reason in ("stop", "length")
text, usage, reasons = "", None, []
for chunk in client.chat.completions.create(
    model=MODEL, messages=ASK, temperature=0, max_tokens=24, stream=True, stream_options={"include_usage": True}
):
    if chunk.choices:
        text += chunk.choices[0].delta.content or ""
        reasons += [chunk.choices[0].finish_reason] if chunk.choices[0].finish_reason else []
    usage = chunk.usage or usage
assert text == whole.choices[0].message.content
assert usage.total_tokens == whole.usage.total_tokens and reasons == [whole.choices[0].finish_reason]
# The same prompt again: all but its last token was remembered.
assert usage.prompt_tokens_details.cached_tokens == usage.prompt_tokens - 1, usage

# A seed repeats; stop texts and limits end; max_completion_tokens is the same limit.
seeded = [
    client.chat.completions.create(model=MODEL, messages=ASK, temperature=1.2, seed=7, top_p=0.9, max_tokens=12)
    for _ in range(2)
]
assert seeded[0].choices[0].message.content == seeded[1].choices[0].message.content
word = text[len(text) // 2:][:3]
stopped = client.chat.completions.create(model=MODEL, messages=ASK, temperature=0, max_tokens=24, stop=[word])
assert stopped.choices[0].message.content == text[: text.index(word)] and stopped.choices[0].finish_reason == "stop"
short = client.chat.completions.create(model=MODEL, messages=ASK, temperature=0, max_completion_tokens=1)
assert short.usage.completion_tokens == 1 and short.choices[0].finish_reason == "length"

# An answer of a given form, whatever the model would rather say.
schema = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}, "country": {"enum": ["France", "Spain"]}},
    "required": ["city", "country"],
    "additionalProperties": False,
}
formed = client.chat.completions.create(
    model=MODEL, messages=ASK, temperature=0, max_tokens=80,
    response_format={"type": "json_schema", "json_schema": {"name": "place", "schema": schema, "strict": True}},
)
place = json.loads(formed.choices[0].message.content)
assert set(place) == {"city", "country"} and place["country"] in ("France", "Spain"), place
yes = client.completions.create(
    model=MODEL, prompt="Is Paris in France?", temperature=0, max_tokens=9, extra_body={"grammar": 'root ::= " yes" | " no"'}
)
assert yes.choices[0].text in (" yes", " no") and yes.choices[0].finish_reason == "stop"
weather = {"type": "function", "function": {"name": "weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string", "maxLength": 12}}, "required": ["city"], "additionalProperties": False}}}
for stream in (False, True):
    called = client.chat.completions.create(
        model=MODEL, messages=ASK, temperature=0, max_tokens=80, tools=[weather], tool_choice="required", stream=stream
    )
    calls = called.choices[0].message.tool_calls if not stream else [
        call for chunk in called for choice in chunk.choices for call in choice.delta.tool_calls or []
    ]
    assert calls[0].function.name == "weather" and set(json.loads(calls[0].function.arguments)) == {"city"}, calls

# Choices with their probabilities: they differ, and the first is what the seed gives alone.
several = client.chat.completions.create(
    model=MODEL, messages=ASK, temperature=1.5, seed=3, n=3, max_tokens=10, logprobs=True, top_logprobs=2
)
texts = [choice.message.content for choice in several.choices]
assert len(set(texts)) > 1, texts
alone = client.chat.completions.create(model=MODEL, messages=ASK, temperature=1.5, seed=3, max_tokens=10)
assert alone.choices[0].message.content == texts[0], (alone, texts)
for choice in several.choices:
    for token in choice.logprobs.content:
        assert token.logprob <= 0 and len(token.top_logprobs) == 2 and token.top_logprobs[0].logprob >= token.logprob - 1e-6

# Many at once get what they would get alone.
def answer(i):
    said = client.completions.create(model=MODEL, prompt=f"Count: {i}, {i + 1}, {i + 2},", temperature=0, max_tokens=12)
    return said.choices[0].text

one_by_one = [answer(i) for i in range(6)]
with concurrent.futures.ThreadPoolExecutor(6) as pool:
    assert list(pool.map(answer, range(6))) == one_by_one

# Every role, and content in parts.
roles = [
    {"role": "system", "content": "Answer briefly."},
    {"role": "developer", "content": "Use English."},
    {"role": "user", "content": [{"type": "text", "text": "What is the weather "}, {"type": "text", "text": "in Oslo?"}]},
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "12 degrees, rain"},
    {"role": "user", "content": "Thanks. In one sentence?"},
]
assert client.chat.completions.create(model=MODEL, messages=roles, temperature=0, max_tokens=16).usage.prompt_tokens > 40

# Twenty-four tools, about 3,300 tokens of schemas, are read.
properties = {
    f"field_{i}": {"type": "string", "description": f"The value of field number {i}, as the person wrote it, with its unit."}
    for i in range(4)
}
tools = [
    {"type": "function", "function": {
        "name": f"tool_{i}",
        "description": f"Does the thing number {i} and reports what came of it.",
        "parameters": {"type": "object", "properties": properties, "required": ["field_0"]}}}
    for i in range(24)
]
called = client.chat.completions.create(model=MODEL, messages=ASK, tools=tools, temperature=0, max_tokens=4)
assert called.usage.prompt_tokens > 3000, called.usage

# Completions.
plain = client.completions.create(model=MODEL, prompt="One, two, three, four,", temperature=0, max_tokens=4)
assert "five" in plain.choices[0].text, plain

# Errors.
refused(404, "model_not_found", lambda: client.chat.completions.create(model="gpt-9", messages=ASK))
long = [{"role": "user", "content": "word " * 9000}]
refused(400, "context_length_exceeded", lambda: client.chat.completions.create(model=MODEL, messages=long))
refused(400, "invalid_value", lambda: client.chat.completions.create(model=MODEL, messages=ASK, n=99))
wrong = openai.OpenAI(base_url=URL, api_key="wrong", max_retries=0)
refused(401, "invalid_api_key", lambda: wrong.models.list())

# A client that leaves in the middle frees the model for the next one.
stream = client.chat.completions.create(model=MODEL, messages=ASK, temperature=1.5, max_tokens=4000, stream=True)
next(iter(stream))
stream.close()
assert client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=1).usage.completion_tokens == 1
print("the client is content")
