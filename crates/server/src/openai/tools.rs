//! Tool calls in what a model wrote.
//!
//! Most templates with tools teach the form `<tool_call>{"name": …, "arguments": {…}}</tool_call>`. An answer that
//! is nothing but such calls becomes `tool_calls`; anything else stays text, exactly as written.

use serde_json::{Value, json};

const OPEN: &str = "<tool_call>";
const CLOSE: &str = "</tool_call>";

/// Whether text seen so far may still turn out to be a call, so that streaming has to wait.
pub(super) fn may_be_call(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with(OPEN) || OPEN.starts_with(text)
}

/// The calls, in OpenAI's shape, when the whole text is calls of tools on offer.
pub(super) fn calls(text: &str, tools: &[Value]) -> Option<Vec<Value>> {
    let offered = |name: &str| tools.iter().any(|tool| tool["function"]["name"] == name);
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (call, after) = rest.strip_prefix(OPEN)?.split_once(CLOSE)?;
        let call: Value = serde_json::from_str(call.trim()).ok()?;
        let name = call["name"].as_str().filter(|name| offered(name))?;
        found.push(json!({
            "index": found.len(),
            "id": super::answer_id("call"),
            "type": "function",
            "function": { "name": name, "arguments": call["arguments"].to_string() },
        }));
        rest = after.trim_start();
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weather() -> Vec<Value> {
        vec![json!({ "type": "function", "function": { "name": "weather" } })]
    }

    #[test]
    fn a_call_of_an_offered_tool_is_found() {
        let text = "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}\n</tool_call>";
        let calls = calls(text, &weather()).unwrap();
        assert_eq!(calls[0]["function"]["name"], "weather");
        assert_eq!(calls[0]["function"]["arguments"], "{\"city\":\"Oslo\"}");
    }

    #[test]
    fn anything_else_stays_text() {
        for text in [
            "",
            "It rains.",
            "<tool_call>{}</tool_call>",
            "<tool_call>{\"name\":\"delete\"}</tool_call>",
        ] {
            assert!(calls(text, &weather()).is_none(), "{text}");
        }
        assert!(may_be_call("<tool") && may_be_call(" <tool_call>{") && !may_be_call("<b>"));
    }
}
