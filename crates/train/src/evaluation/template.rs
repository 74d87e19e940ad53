//! Templates of tasks: Jinja over the fields of a document, with the methods and spellings of Python.

use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, ValueKind};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};
use serde_json::Value as Json;

/// Steps that one rendering may take.
const FUEL: u64 = 5_000_000;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
        environment.set_syntax(syntax);
    }
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_unknown_method_callback(|state, value, method, arguments| {
        if method == "index" && value.kind() == ValueKind::Seq {
            return position(value, arguments);
        }
        minijinja_contrib::pycompat::unknown_method_callback(state, value, method, arguments)
    });
    environment.set_formatter(|out, state, value| {
        // Python writes these with a capital letter.
        match value.kind() {
            ValueKind::None => Ok(out.write_str("None")?),
            ValueKind::Bool => Ok(out.write_str(if value.is_true() { "True" } else { "False" })?),
            _ => minijinja::escape_formatter(out, state, value),
        }
    });
    environment
});

/// Python's `list.index`.
fn position(list: &Value, arguments: &[Value]) -> Result<Value, Error> {
    let invalid = |what: String| Error::new(ErrorKind::InvalidOperation, what);
    let [wanted] = arguments else {
        return Err(invalid("index() takes one value".to_owned()));
    };
    let found = list.try_iter()?.position(|value| value == *wanted);
    found.map(Value::from).ok_or_else(|| invalid(format!("{wanted} is not in {list}")))
}

/// The text that a template makes of a document.
pub(super) fn render(template: &str, document: &Json) -> Result<String, String> {
    let context = Value::from(Serde(document.clone()));
    ENVIRONMENT.render_str(template, context).map_err(said)
}

/// The value of a template that is one `{{ expression }}`.
pub(super) fn evaluate(template: &str, document: &Json) -> Result<Json, String> {
    let trimmed = template.trim();
    let expression = trimmed.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    let expression = expression.filter(|inside| !inside.contains("}}")).ok_or_else(|| {
        format!("`{template}` must be one expression between {{{{ and }}}} that gives a list")
    })?;
    let context = Value::from(Serde(document.clone()));
    let compiled = ENVIRONMENT.compile_expression(expression.trim()).map_err(said)?;
    let value = compiled.eval(context).map_err(said)?;
    serde_json::to_value(value).map_err(|error| error.to_string())
}

fn said(error: Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn templates_speak_python() {
        let document = json!({
            "choices": { "label": ["A", "B"], "text": ["one", "two"] }, "key": "B",
            "text": " who is it  then", "none": null, "yes": true,
        });
        let rendered = |template| render(template, &document).unwrap();
        assert_eq!(rendered("{{choices.label.index(key)}}"), "1");
        assert_eq!(rendered("{{text.split(' ')[:-1]|join(' ')}}"), " who is it ");
        assert_eq!(
            rendered("{{' '+text.split(' ')[-1]}}|{{text.lstrip()}}"),
            " then|who is it  then"
        );
        assert_eq!(rendered("{{none}} {{yes}} a\n"), "None True a\n");
        assert_eq!(evaluate("{{choices.text}}", &document).unwrap(), json!(["one", "two"]));
        assert_eq!(
            evaluate("{{[key, text]}}", &document).unwrap(),
            json!(["B", " who is it  then"])
        );
        assert!(render("{{absent}}", &document).unwrap_err().contains("undefined"));
        assert!(evaluate("{{key}} {{text}}", &document).is_err());
        assert!(render("{{choices.label.index('C')}}", &document).is_err());
    }
}
