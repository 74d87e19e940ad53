//! What form an answer must have: `response_format`, llama.cpp's `grammar`, vLLM's `guided_regex`, and calls of
//! tools that a request insists on.

use std::fmt::Write;

use infer::Form;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Fault;

/// The fields of a request that say so; at most one of them counts.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    response_format: Option<Value>,
    grammar: Option<String>,
    guided_regex: Option<String>,
}

impl Asked {
    pub(super) fn check(self) -> Result<Option<Form>, Fault> {
        let format = self.response_format.map(response_format).transpose()?.flatten();
        let forms = [format, self.grammar.map(Form::Gbnf), self.guided_regex.map(Form::Regex)];
        let mut forms = forms.into_iter().flatten();
        let form = forms.next();
        if forms.next().is_some() {
            return Err(Fault::bad(
                "response_format, grammar and guided_regex cannot be asked for together",
            )
            .param("response_format"));
        }
        Ok(form)
    }
}

fn response_format(format: Value) -> Result<Option<Form>, Fault> {
    match format["type"].as_str() {
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(Form::JsonObject)),
        Some("json_schema") => {
            match format["json_schema"].get("schema") {
                Some(schema @ (Value::Object(_) | Value::Bool(_))) => {
                    Ok(Some(Form::JsonSchema(schema.clone())))
                }
                _ => Err(Fault::bad("response_format: json_schema needs a schema")
                    .param("response_format")),
            }
        }
        _ if format.is_null() => Ok(None),
        _ => Err(Fault::unsupported(
            "response_format",
            "text, json_object and json_schema are possible",
        )),
    }
}

/// Which tools a request offers, and whether one has to be called.
pub(super) fn tools(
    tools: Option<Vec<Value>>,
    choice: Option<Value>,
) -> Result<(Vec<Value>, Option<Form>), Fault> {
    let tools = tools.unwrap_or_default();
    if tools.iter().any(|tool| !tool["function"]["name"].is_string()) {
        return Err(Fault::bad("tools: each needs a function with a name").param("tools"));
    }
    let fault = |why: &str| Fault::bad(format!("tool_choice: {why}")).param("tool_choice");
    let wanted = match &choice {
        None | Some(Value::Null) => return Ok((tools, None)),
        Some(Value::String(choice)) => match choice.as_str() {
            "auto" => return Ok((tools, None)),
            "none" => return Ok((Vec::new(), None)),
            "required" => tools.clone(),
            _ => return Err(fault("auto, none, required or one function")),
        },
        Some(choice) => {
            let name = &choice["function"]["name"];
            let named: Vec<Value> =
                tools.iter().filter(|tool| &tool["function"]["name"] == name).cloned().collect();
            if named.is_empty() {
                return Err(fault("names a function that is not among the tools"));
            }
            named
        }
    };
    if wanted.is_empty() {
        return Err(fault("a call is required and no tools are given"));
    }
    let form = call_of(&wanted);
    Ok((tools, Some(form)))
}

/// `<tool_call>{"name": …, "arguments": …}</tool_call>` for one of the tools.
fn call_of(tools: &[Value]) -> Form {
    let mut grammar = String::from("start: ");
    for i in 0..tools.len() {
        let _ = write!(grammar, "{}call_{i}", if i > 0 { " | " } else { "" });
    }
    for (i, tool) in tools.iter().enumerate() {
        let function = &tool["function"];
        let any = json!({ "type": "object" });
        let parameters = match &function["parameters"] {
            Value::Object(schema) if !schema.is_empty() => &function["parameters"],
            _ => &any,
        };
        // The name's JSON inside a Lark string: quoted twice.
        let head = format!("<tool_call>\n{{\"name\": {}, \"arguments\": ", function["name"]);
        let _ = write!(
            grammar,
            "\ncall_{i}: {} %json {parameters} {}",
            Value::from(head),
            Value::from("}\n</tool_call>")
        );
    }
    Form::Lark(grammar)
}
