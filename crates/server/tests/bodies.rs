//! Whatever stands in a request's body, it is answered, and the server lives on: a real engine, thousands of bodies.

mod common;

use std::path::{Path, PathBuf};

use common::Running;
use serde_json::{Value, json};

/// Bodies; more when asked for.
const BODIES: usize = 1500;

/// The tiny Llama of `golden/`, which knows no language but has all that a model has.
fn model(folder: &Path) -> PathBuf {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden");
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

/// Requests that are all right.
fn sound() -> Vec<(&'static str, Value)> {
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

/// Reproducible choices (SplitMix64).
struct Choices(u64);

impl Choices {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }
}

/// What no sensible client sends.
fn oddity(choices: &mut Choices) -> Value {
    let deep = |open: Value, wrap: fn(Value) -> Value| (0..90).fold(open, |inner, _| wrap(inner));
    match choices.below(19) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(u64::MAX),
        4 => json!(1e308),
        5 => json!(0.5),
        6 => json!(""),
        7 => json!("\u{0}\u{fffd}\u{202e}"),
        8 => json!("x".repeat(5000)),
        9 => json!([]),
        10 => json!({}),
        11 => deep(json!(1), |inner| json!([inner])),
        12 => deep(json!({}), |inner| json!({ "properties": { "a": inner } })),
        13 => json!({ "$ref": "#" }),
        14 => json!({ "type": "string", "pattern": "(a*)*b{1000000}" }),
        15 => json!({ "type": "array", "minItems": 1_000_000_000 }),
        16 => json!("root ::= root"),
        17 => json!("root ::= ((((\"a\"?)?)*)*)*"),
        _ => json!(["a", 1, null]),
    }
}

/// Changes one place of a value, anywhere in it.
fn change(value: &mut Value, choices: &mut Choices) {
    let descend = choices.below(4) > 0;
    match value {
        Value::Object(map) if descend && !map.is_empty() => {
            let key = map.keys().nth(choices.below(map.len())).unwrap().clone();
            match choices.below(8) {
                0 => {
                    map.remove(&key);
                }
                1 => {
                    let other = oddity(choices);
                    map.insert(format!("{key}_"), other);
                }
                _ => change(&mut map[&key], choices),
            }
        }
        Value::Array(items) if descend && !items.is_empty() => {
            let at = choices.below(items.len());
            match choices.below(6) {
                0 => {
                    items.remove(at);
                }
                1 => {
                    let again = items[at].clone();
                    items.resize(items.len() + 40, again);
                }
                _ => change(&mut items[at], choices),
            }
        }
        _ => *value = oddity(choices),
    }
}

/// Cuts, flips or inserts bytes, so that it is no JSON or other JSON.
fn damage(bytes: &mut Vec<u8>, choices: &mut Choices) {
    let at = choices.below(bytes.len());
    match choices.below(4) {
        0 => bytes.truncate(at),
        1 => bytes[at] ^= 1 << choices.below(8),
        2 => bytes.insert(at, choices.below(256) as u8),
        _ => {
            bytes.splice(at..at, b"[[[[[[{\"a\":".repeat(40));
        }
    }
}

#[test]
fn no_body_takes_the_server_down() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::house(&model(folder.path()));
    let json = ("content-type", "application/json");
    let sound = sound();
    for (path, body) in &sound[..sound.len() - 1] {
        let reply = running.send("POST", path, &[json], &body.to_string());
        assert_eq!(reply.status, 200, "{path} {body}: {}", reply.text());
    }
    let bodies = std::env::var("POLYMATH_TEST_BODIES").ok().and_then(|n| n.parse().ok());
    let mut choices = Choices(1);
    let mut answered = [0; 2];
    for i in 0..bodies.unwrap_or(BODIES) {
        let (path, body) = &sound[choices.below(sound.len())];
        let mut body = body.clone();
        for _ in 0..1 + choices.below(3) {
            change(&mut body, &mut choices);
        }
        let mut bytes = body.to_string().into_bytes();
        if choices.below(4) == 0 {
            damage(&mut bytes, &mut choices);
        }
        let reply = running.send_bytes("POST", path, &[json], &bytes);
        let shown = String::from_utf8_lossy(&bytes);
        let shown = shown.chars().take(600).collect::<String>();
        assert!((200..500).contains(&reply.status), "body {i}: {} for {shown}", reply.status);
        answered[usize::from(reply.status != 200)] += 1;
    }
    // Neither all refused nor all taken: the bodies are near sound ones.
    assert!(answered.iter().all(|&n| n > 20), "{answered:?}");
    let (path, body) = &sound[0];
    let reply = running.send("POST", path, &[json], &body.to_string());
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(running.get("/health", &[]).status, 200);
    running.stop();
}
