//! Running a template: what Python's Jinja gives to chat templates, and the ration.

use super::{ChatTemplate, RenderOptions};
use crate::Error;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde};
use minijinja::{Environment, ErrorKind};
use serde::Serialize;
use serde_json::Value;
use std::io;

/// Steps that one rendering may take. The bytes that it makes on the way count too: enough for a conversation
/// of some megabytes, used up by an endless loop in about a second.
const FUEL: u64 = 20_000_000;
/// Longest output: sixteen million bytes are four million tokens.
const OUTPUT_LIMIT_BYTES: usize = 16 << 20;
/// Begins the text of an error that the template raised itself.
const REFUSAL: &str = "refused: ";

/// Parses the template into an environment that holds just it.
pub(super) fn environment(source: &str) -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.map_err(|error| Error::TemplateSyntax(error.to_string()))?);
    environment.set_fuel(Some(FUEL));
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_filter("tojson", to_json);
    environment.add_function(
        "raise_exception",
        |message: String| -> Result<String, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, format!("{REFUSAL}{message}")))
        },
    );
    let source = without_generation_tags(source);
    environment
        .add_template_owned("chat", source)
        .map_err(|error| Error::TemplateSyntax(error.to_string()))?;
    Ok(environment)
}

impl ChatTemplate {
    pub(super) fn run(
        &self,
        messages: Vec<Value>,
        tools: Value,
        options: &RenderOptions<'_>,
    ) -> Result<String, Error> {
        let template = self.environment.get_template("chat").map_err(sort)?;
        let mut context = options.extra.clone();
        context.insert("messages".to_string(), Value::Array(messages));
        context.insert("add_generation_prompt".to_string(), options.add_generation_prompt.into());
        context.insert("bos_token".to_string(), self.bos.as_str().into());
        context.insert("eos_token".to_string(), self.eos.as_str().into());
        let tools_on_offer = tools.as_array().is_some_and(|tools| !tools.is_empty());
        context.insert("tools".to_string(), if tools_on_offer { tools } else { Value::Null });
        let mut context = minijinja::Value::from(Serde(context));
        if let Some(now) = options.now {
            // Templates ask whether the function is there, so it is there only with a clock.
            let strftime = move |format: String| -> Result<String, minijinja::Error> {
                jiff::fmt::strtime::format(format, now)
                    .map_err(|e| minijinja::Error::new(ErrorKind::InvalidOperation, e.to_string()))
            };
            let clock =
                minijinja::context! { strftime_now => minijinja::Value::from_function(strftime) };
            context = minijinja::context! { ..context, ..clock };
        }
        let mut output = Limited { text: Vec::new(), full: false };
        let rendered = template.render_captured_to(context, &mut output).map(|_| ());
        if output.full {
            let limit = format!("it wrote more than {OUTPUT_LIMIT_BYTES} bytes");
            return Err(Error::TemplateLimit(limit));
        }
        rendered.map_err(sort)?;
        String::from_utf8(output.text).map_err(|e| Error::TemplateFails(e.to_string()))
    }
}

/// Which of our errors it is.
fn sort(error: minijinja::Error) -> Error {
    if error.kind() == ErrorKind::OutOfFuel {
        return Error::TemplateLimit("it took too many steps".to_string());
    }
    match error.detail().and_then(|detail| detail.strip_prefix(REFUSAL)) {
        Some(reason) => Error::TemplateRefuses(reason.to_string()),
        None => Error::TemplateFails(error.to_string()),
    }
}

/// `{% generation %}` marks, for training, what the assistant wrote; for rendering it means nothing.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        let end = tag.find("%}").map_or(tag.len(), |end| end + 2);
        let (tag, after) = tag.split_at(end);
        let name = tag
            .trim_matches(|c: char| matches!(c, '{' | '}' | '%' | '-' | '+') || c.is_whitespace());
        match name {
            "generation" => out.push_str(&tag.replace("generation", "if true")),
            "endgeneration" => out.push_str(&tag.replace("endgeneration", "endif")),
            _ => out.push_str(tag),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// JSON as Python's `json.dumps(value, ensure_ascii=False)` writes it: `{"a": 1, "b": [2, 3]}`.
fn to_json(value: minijinja::Value, kwargs: Kwargs) -> Result<String, minijinja::Error> {
    let indent: Option<usize> = kwargs.get("indent")?;
    let sort_keys: Option<bool> = kwargs.get("sort_keys")?;
    let _: Option<bool> = kwargs.get("ensure_ascii")?;
    kwargs.assert_all_used()?;
    let failed = |e: &dyn std::fmt::Display| {
        minijinja::Error::new(ErrorKind::BadSerialization, e.to_string())
    };
    let mut value = serde_json::to_value(&value).map_err(|e| failed(&e))?;
    if sort_keys == Some(true) {
        value.sort_all_objects();
    }
    let mut bytes = Vec::new();
    let written = match indent {
        Some(width) if width <= 64 => {
            let spaces = " ".repeat(width);
            let pretty = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, pretty))
        }
        _ => value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Spaced)),
    };
    written.map_err(|e| failed(&e))?;
    String::from_utf8(bytes).map_err(|e| failed(&e))
}

/// A space after each comma and colon.
struct Spaced;

impl serde_json::ser::Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }
}

/// Takes output up to a limit.
struct Limited {
    text: Vec<u8>,
    full: bool,
}

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() + bytes.len() > OUTPUT_LIMIT_BYTES {
            self.full = true;
            return Err(io::Error::other("output limit"));
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
