//! `POST /v1/embeddings`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::parse;
use super::{Api, Fault, sse, whole_numbers};
use crate::base64;

const MAX_TEXTS: usize = 2048;

#[derive(Debug, Deserialize)]
struct Request {
    model: String,
    input: Input,
    encoding_format: Option<String>,
    #[serde(default, deserialize_with = "whole_numbers::optional")]
    dimensions: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Input {
    One(String),
    Several(Vec<String>),
    Other(serde::de::IgnoredAny),
}

pub(super) async fn embeddings(State(api): State<Api>, body: Bytes) -> Result<Response, Fault> {
    let Request { model, input, encoding_format, dimensions } = parse(&body)?;
    let texts = match input {
        Input::One(text) => vec![text],
        Input::Several(texts) => texts,
        Input::Other(_) => {
            return Err(Fault::unsupported(
                "input",
                "a string or a list of strings is embedded, tokens are not",
            ));
        }
    };
    if texts.is_empty() || texts.len() > MAX_TEXTS || texts.iter().any(String::is_empty) {
        let why = format!("input: from one to {MAX_TEXTS} texts, none of them empty");
        return Err(Fault::bad(why).param("input"));
    }
    let as_base64 = match encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => {
            return Err(Fault::unsupported("encoding_format", "float and base64 are possible"));
        }
    };
    let turn = api.queue.turn().await?;
    let models = api.models.clone();
    let name = model.clone();
    let embedded = sse::whole(move |_| {
        let _turn = turn;
        models.embed(&name, &texts)
    })
    .await?;
    let width = embedded.vectors.first().map_or(0, Vec::len);
    if dimensions.is_some_and(|asked| asked != width) {
        return Err(Fault::unsupported(
            "dimensions",
            &format!("this model's vectors have {width}"),
        ));
    }
    let data: Vec<Value> = embedded
        .vectors
        .iter()
        .enumerate()
        .map(|(index, vector)| json!({ "object": "embedding", "index": index, "embedding": coded(vector, as_base64) }))
        .collect();
    let usage = json!({ "prompt_tokens": embedded.tokens, "total_tokens": embedded.tokens });
    Ok(Json(json!({ "object": "list", "data": data, "model": model, "usage": usage }))
        .into_response())
}

/// Numbers, or the little-endian f32 bytes in base64 (what OpenAI's Python client asks for).
fn coded(vector: &[f32], as_base64: bool) -> Value {
    if as_base64 {
        let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
        base64::encode(&bytes).into()
    } else {
        json!(vector)
    }
}
