//! `polymath tokenize` and `polymath logits`: a model's numbers, bare.

use corpus::tokenizer::Special;
use infer::{DecoderPrecision, Engine, Session};
use serde_json::json;

use crate::args::{Logits, Tokenize};
use crate::home::Home;
use crate::output;

pub fn tokenize(arguments: &Tokenize) -> anyhow::Result<()> {
    let path = Home::find()?.hub().resolve(&arguments.model)?;
    let tokenizer = infer::tokenizer(&path)?;
    let tokens = tokenizer.encode(&arguments.text, Special::Parse, arguments.with_special);
    let pieces: Vec<String> = tokens.iter().filter_map(|&id| tokenizer.piece(id)).collect();
    if arguments.json.json {
        return output::json(&json!({ "tokens": tokens, "pieces": pieces }));
    }
    let rows: Vec<Vec<String>> = tokens
        .iter()
        .zip(&pieces)
        .map(|(id, piece)| vec![id.to_string(), piece.escape_debug().to_string()])
        .collect();
    output::piece(&output::table(&[">token", "piece"], &rows))
}

pub fn logits(arguments: &Logits) -> anyhow::Result<()> {
    let path = Home::find()?.hub().resolve(&arguments.model)?;
    // Bare numbers are for comparing with other programs, so nothing is rounded on the way.
    let engine = Engine::load_with(&path, arguments.threads.count(), DecoderPrecision::Exact)?;
    let logits = Session::new(&engine).logits(&arguments.tokens)?;
    if arguments.json.json {
        return output::json(&json!({ "logits": logits }));
    }
    // For people: the likeliest next tokens after each.
    let tokenizer = engine.tokenizer().ok();
    let mut rows = Vec::new();
    for (token, row) in arguments.tokens.iter().zip(&logits) {
        let mut order: Vec<usize> = (0..row.len()).collect();
        order.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
        let next: Vec<String> = order[..order.len().min(5)]
            .iter()
            .map(|&id| {
                let piece = tokenizer.and_then(|tokenizer| tokenizer.piece(id as u32));
                format!("{} {:.3}", piece.unwrap_or_else(|| id.to_string()).escape_debug(), row[id])
            })
            .collect();
        rows.push(vec![token.to_string(), next.join("   ")]);
    }
    output::piece(&output::table(&[">after", "likeliest next, with its logit"], &rows))
}
