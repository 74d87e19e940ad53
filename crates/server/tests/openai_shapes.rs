//! The shapes of `/v1`, with a model whose answers are known. The official client talks to a real one in
//! `openai_client.rs`.

mod common;

use common::{Reply, Running};
use serde_json::{Value, json};

fn post(running: &Running, path: &str, body: &Value) -> Reply {
    running.send("POST", path, &[("content-type", "application/json")], &body.to_string())
}

fn chat(running: &Running, extra: Value) -> Reply {
    let mut body =
        json!({ "model": "echo", "messages": [{ "role": "user", "content": "one two three" }] });
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    post(running, "/v1/chat/completions", &body)
}

fn events(reply: &Reply) -> Vec<Value> {
    let text = reply.text();
    let data: Vec<&str> = text
        .split("\n\n")
        .filter(|e| !e.is_empty())
        .map(|e| e.strip_prefix("data: ").unwrap())
        .collect();
    assert_eq!(data.last(), Some(&"[DONE]"), "{text}");
    data[..data.len() - 1].iter().map(|event| serde_json::from_str(event).unwrap()).collect()
}

#[test]
fn a_chat_answer_has_its_message_its_reason_and_its_counts() {
    let reply = chat(&Running::start(), json!({})).json();
    assert_eq!(reply["object"], "chat.completion");
    assert_eq!(reply["choices"][0]["message"]["content"], "one two three");
    assert_eq!(reply["choices"][0]["finish_reason"], "stop");
    assert_eq!(
        reply["usage"],
        json!({ "prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6,
                "prompt_tokens_details": { "cached_tokens": 0 } })
    );
}

#[test]
fn a_limit_ends_with_length_under_both_names() {
    let running = Running::start();
    for name in ["max_tokens", "max_completion_tokens"] {
        // JSON knows one kind of number.
        for two in [json!(2), json!(2.0)] {
            let reply = chat(&running, json!({ name: two })).json();
            assert_eq!(reply["choices"][0]["finish_reason"], "length");
            assert_eq!(reply["choices"][0]["message"]["content"], "one two ");
        }
        for wrong in [json!(2.5), json!(-1), json!(1e300), json!("2")] {
            assert_eq!(chat(&running, json!({ name: wrong })).status, 400, "{wrong}");
        }
    }
}

#[test]
fn a_stream_says_the_same_as_the_whole_and_counts_when_asked() {
    let running = Running::start();
    let reply =
        chat(&running, json!({ "stream": true, "stream_options": { "include_usage": true } }));
    assert_eq!(reply.header("content-type"), Some("text/event-stream"));
    let events = events(&reply);
    let text: String =
        events.iter().filter_map(|e| e["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, "one two three");
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(events[events.len() - 2]["choices"][0]["finish_reason"], "stop");
    assert_eq!(events.last().unwrap()["usage"]["total_tokens"], 6);
    assert_eq!(events.last().unwrap()["choices"], json!([]));
    assert!(events.iter().all(|event| event["id"] == events[0]["id"]));
}

#[test]
fn errors_have_the_shape_and_codes_that_clients_read() {
    let running = Running::start();
    let error = |reply: Reply| (reply.status, reply.json()["error"].clone());
    let (status, body) = error(chat(&running, json!({ "model": "gpt-9" })));
    assert_eq!(
        (status, &body["code"], &body["type"]),
        (404, &json!("model_not_found"), &json!("invalid_request_error"))
    );
    let long = json!({ "messages": [{ "role": "user", "content": "word ".repeat(70) }] });
    let (status, body) = error(chat(&running, long.clone()));
    assert_eq!((status, &body["code"]), (400, &json!("context_length_exceeded")));
    // Streaming or not: the status line is right.
    let mut streamed = long;
    streamed["stream"] = json!(true);
    assert_eq!(error(chat(&running, streamed)).0, 400);
    for (extra, param) in [
        (json!({ "n": 99 }), "n"),
        (json!({ "top_logprobs": 3 }), "top_logprobs"),
        (json!({ "logprobs": true, "top_logprobs": 30 }), "top_logprobs"),
        (json!({ "logit_bias": { "x": 1 } }), "logit_bias"),
        (json!({ "response_format": { "type": "xml" } }), "response_format"),
        (json!({ "response_format": { "type": "json_schema" } }), "response_format"),
        (
            json!({ "response_format": { "type": "json_object" }, "grammar": "root ::= \"a\"" }),
            "response_format",
        ),
        (json!({ "tools": [], "tool_choice": "required" }), "tool_choice"),
        (
            json!({ "tool_choice": { "type": "function", "function": { "name": "absent" } } }),
            "tool_choice",
        ),
        (json!({ "temperature": 3 }), "temperature"),
        (json!({ "messages": [] }), "messages"),
        (json!({ "messages": [{ "role": "wizard", "content": "x" }] }), "messages"),
    ] {
        let (status, body) = error(chat(&running, extra.clone()));
        assert_eq!((status, &body["param"]), (400, &json!(param)), "{extra}");
    }
    assert_eq!(error(post(&running, "/v1/chat/completions", &json!({ "model": 3 }))).0, 400);
    assert_eq!(error(post(&running, "/v1/images", &json!({}))).0, 404);
}

#[test]
fn every_role_and_content_in_parts_is_taken() {
    let messages = json!([
        { "role": "system", "content": "a" },
        { "role": "developer", "content": [{ "type": "text", "text": "b" }] },
        { "role": "user", "content": "c" },
        { "role": "assistant", "content": null, "tool_calls": [
            { "id": "1", "type": "function", "function": { "name": "f", "arguments": "{}" } }] },
        { "role": "tool", "tool_call_id": "1", "content": "d" },
        { "role": "user", "content": [{ "type": "text", "text": "left " }, { "type": "text", "text": "right" }] },
    ]);
    let reply = chat(&Running::start(), json!({ "messages": messages })).json();
    assert_eq!(reply["choices"][0]["message"]["content"], "left right");
}

#[test]
fn a_written_tool_call_becomes_one_streaming_or_not() {
    let running = Running::start();
    let call =
        "<tool_call>{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}</tool_call>";
    let extra = json!({
        "messages": [{ "role": "user", "content": call }],
        "tools": [{ "type": "function", "function": { "name": "weather", "parameters": {} } }],
    });
    let whole = chat(&running, extra.clone()).json()["choices"][0].clone();
    assert_eq!(whole["finish_reason"], "tool_calls");
    assert_eq!(whole["message"]["tool_calls"][0]["function"]["arguments"], "{\"city\":\"Oslo\"}");
    let mut streamed = extra;
    streamed["stream"] = json!(true);
    let events = events(&chat(&running, streamed));
    let said: String =
        events.iter().filter_map(|e| e["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, "", "no half of a call leaks as text");
    assert!(
        events
            .iter()
            .any(|e| e["choices"][0]["delta"]["tool_calls"][0]["function"]["name"] == "weather")
    );
}

#[test]
fn completions_take_strings_lists_and_tokens() {
    let running = Running::start();
    let one =
        post(&running, "/v1/completions", &json!({ "model": "echo", "prompt": "a b" })).json();
    assert_eq!(
        (one["object"].as_str(), &one["choices"][0]["text"]),
        (Some("text_completion"), &json!("a b"))
    );
    let two =
        post(&running, "/v1/completions", &json!({ "model": "echo", "prompt": ["a", "b c"] }))
            .json();
    assert_eq!(
        two["choices"][1],
        json!({ "index": 1, "text": "b c", "logprobs": null, "finish_reason": "stop" })
    );
    assert_eq!(two["usage"]["total_tokens"], 6);
    let tokens =
        post(&running, "/v1/completions", &json!({ "model": "echo", "prompt": [5, 6] })).json();
    assert_eq!(tokens["choices"][0]["text"], "5 6 ");
    let streamed = post(
        &running,
        "/v1/completions",
        &json!({ "model": "echo", "prompt": "a b", "stream": true }),
    );
    let text: String =
        events(&streamed).iter().filter_map(|e| e["choices"][0]["text"].as_str()).collect();
    assert_eq!(text, "a b");
}

#[test]
fn embeddings_come_as_numbers_or_as_base64_of_little_endian_floats() {
    let running = Running::start();
    let body = json!({ "model": "echo", "input": ["abc", "x"] });
    let floats = post(&running, "/v1/embeddings", &body).json();
    assert_eq!(floats["data"][0]["embedding"], json!([3.0, 1.0]));
    assert_eq!(floats["data"][1]["index"], 1);
    let body = json!({ "model": "echo", "input": "abc", "encoding_format": "base64" });
    let coded = post(&running, "/v1/embeddings", &body).json();
    // 3.0 and 1.0 are 00 00 40 40 and 00 00 80 3f.
    assert_eq!(coded["data"][0]["embedding"], "AABAQAAAgD8=");
    let dimensions = json!({ "model": "echo", "input": "abc", "dimensions": 7 });
    assert_eq!(
        post(&running, "/v1/embeddings", &dimensions).json()["error"]["param"],
        "dimensions"
    );
}

#[test]
fn a_panic_in_one_request_leaves_the_next_one_whole() {
    let running = Running::start();
    let panic = json!({ "messages": [{ "role": "user", "content": "panic" }] });
    assert_eq!(chat(&running, panic.clone()).status, 500);
    let mut streamed = panic;
    streamed["stream"] = json!(true);
    assert_eq!(chat(&running, streamed).status, 500);
    assert_eq!(chat(&running, json!({})).status, 200);
}

#[test]
fn models_are_listed_and_found_by_name() {
    let running = Running::start();
    let list = running.get("/v1/models", &[]).json();
    assert_eq!(list["data"][0]["id"], "echo");
    assert_eq!(running.get("/v1/models/echo", &[]).json()["object"], "model");
    assert_eq!(running.get("/v1/models/none", &[]).json()["error"]["code"], "model_not_found");
}

#[test]
fn several_choices_are_made_and_their_probabilities_told() {
    let running = Running::start();
    let asked = json!({ "n": 3, "logprobs": true, "top_logprobs": 2 });
    let reply = chat(&running, asked.clone()).json();
    let choices = reply["choices"].as_array().unwrap();
    assert_eq!(choices.len(), 3);
    assert_eq!(reply["usage"]["prompt_tokens"], 3);
    assert_eq!(reply["usage"]["completion_tokens"], 9);
    for (index, choice) in choices.iter().enumerate() {
        assert_eq!(choice["index"], index);
        let content = choice["logprobs"]["content"].as_array().unwrap();
        let text: String = content.iter().filter_map(|token| token["token"].as_str()).collect();
        assert_eq!(text, "one two three");
        assert_eq!(content[0]["bytes"], json!([111, 110, 101, 32]));
        assert_eq!(content[0]["top_logprobs"][1]["logprob"], -9999.0, "JSON knows no infinity");
    }
    let mut streamed = asked;
    streamed["stream"] = json!(true);
    let events = events(&chat(&running, streamed));
    for index in 0..3 {
        let of = |event: &&Value| event["choices"][0]["index"] == index;
        let mine: Vec<&Value> = events.iter().filter(of).collect();
        assert_eq!(mine[0]["choices"][0]["delta"]["role"], "assistant");
        let text: String =
            mine.iter().filter_map(|e| e["choices"][0]["delta"]["content"].as_str()).collect();
        assert_eq!(text, "one two three");
        assert_eq!(mine.last().unwrap()["choices"][0]["finish_reason"], "stop");
        let tokens =
            mine.iter().filter_map(|e| e["choices"][0]["logprobs"]["content"].as_array()).flatten();
        assert_eq!(tokens.count(), 3);
    }
    let body = json!({ "model": "echo", "prompt": ["a b", "c"], "n": 2, "logprobs": 1 });
    let reply = post(&running, "/v1/completions", &body).json();
    let texts: Vec<&str> =
        reply["choices"].as_array().unwrap().iter().filter_map(|c| c["text"].as_str()).collect();
    assert_eq!(texts, ["a b", "a b", "c", "c"]);
    assert_eq!(reply["choices"][0]["logprobs"]["text_offset"], json!([0, 2]));
    assert_eq!(reply["choices"][0]["logprobs"]["top_logprobs"][0], json!({ "a ": 0.0 }));
    assert_eq!(reply["usage"]["prompt_tokens"], 3);
}

#[test]
fn health_counters_and_the_document_are_served() {
    let running = Running::start();
    assert_eq!(running.get("/health", &[]).json(), json!({ "status": "ok" }));
    let metrics = running.get("/metrics", &[]);
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    let text = metrics.text();
    assert!(text.contains("# TYPE polymath_requests_total counter\n"), "{text}");
    assert!(text.contains("polymath_requests_total{model=\"echo \\\"1\\\"\"} 3\n"), "{text}");
    let document = running.get("/v1/openapi.json", &[]).json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    // Every path in the document is answered, and refuses an empty body in the shape it promises.
    for (path, ways) in document["paths"].as_object().unwrap() {
        for way in ways.as_object().unwrap().keys() {
            let path = path.replace("{model}", "echo");
            let reply = match way.as_str() {
                "get" => running.get(&path, &[]),
                _ => post(&running, &path, &json!({})),
            };
            let wanted = if way == "get" { 200 } else { 400 };
            assert_eq!(reply.status, wanted, "{way} {path}: {}", reply.text());
        }
    }
}
