//! A model that answers at once, and sound requests to it. Fuzzing (`fuzz/targets/body.rs`) uses them too.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Where requests with bodies go.
pub const PATHS: [&str; 3] = ["/v1/completions", "/v1/chat/completions", "/v1/embeddings"];

/// The tiny Llama of `golden/`, which knows no language but has all that a model has, as a folder `tiny` in `folder`.
pub fn model(golden: &Path, folder: &Path) -> PathBuf {
    let model = folder.join("tiny");
    std::fs::create_dir(&model).unwrap();
    for file in
        ["llama-tiny/config.json", "llama-tiny/model.safetensors", "eval/plain/tokenizer.json"]
    {
        let from = golden.join(file);
        std::fs::copy(&from, model.join(from.file_name().unwrap())).unwrap();
    }
    let config = std::fs::read(golden.join("eval/plain/tokenizer_config.json")).unwrap();
    let mut config: Value = serde_json::from_slice(&config).unwrap();
    config["chat_template"] =
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}".into();
    std::fs::write(model.join("tokenizer_config.json"), config.to_string()).unwrap();
    model
}

/// Requests that are all right, by path.
pub fn sound() -> Vec<(&'static str, Value)> {
    let schema = json!({ "type": "object", "properties": { "a": { "type": "integer" } },
                         "required": ["a"], "additionalProperties": false });
    let tool = json!({ "type": "function", "function": { "name": "f", "parameters": schema } });
    vec![
        (
            "/v1/completions",
            json!({ "model": "tiny", "prompt": "a b", "max_tokens": 2, "stop": ["x"],
            "temperature": 0.5, "top_p": 0.9, "seed": 1, "n": 2, "logit_bias": { "5": -1 },
            "logprobs": 2, "stream": false, "echo": false }),
        ),
        (
            "/v1/chat/completions",
            json!({ "model": "tiny", "max_tokens": 2, "messages": [
            { "role": "system", "content": "a" }, { "role": "user", "content": [{ "type": "text", "text": "b" }] },
            { "role": "assistant", "content": null, "tool_calls": [
                { "id": "1", "type": "function", "function": { "name": "f", "arguments": "{}" } }] },
            { "role": "tool", "tool_call_id": "1", "content": "c" }] }),
        ),
        (
            "/v1/chat/completions",
            json!({ "model": "tiny", "max_tokens": 2, "stream": true,
            "stream_options": { "include_usage": true }, "logprobs": true, "top_logprobs": 2,
            "messages": [{ "role": "user", "content": "a" }] }),
        ),
        (
            "/v1/chat/completions",
            json!({ "model": "tiny", "max_tokens": 2,
            "messages": [{ "role": "user", "content": "a" }], "tools": [tool], "tool_choice": "required" }),
        ),
        (
            "/v1/chat/completions",
            json!({ "model": "tiny", "max_tokens": 2,
            "messages": [{ "role": "user", "content": "a" }],
            "response_format": { "type": "json_schema", "json_schema": { "name": "s", "schema": schema } } }),
        ),
        (
            "/v1/chat/completions",
            json!({ "model": "tiny", "max_tokens": 2,
            "messages": [{ "role": "user", "content": "a" }], "grammar": "root ::= [a-z]+ \" \" root | \"x\"" }),
        ),
        ("/v1/embeddings", json!({ "model": "tiny", "input": ["a", "b"] })),
    ]
}
