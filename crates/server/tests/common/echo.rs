//! Models that repeat: what `/v1` does around a model is tested with one whose answers are known.

use server::openai::*;
use server::stream::Cancel;

/// Answers with the words of the last message, one token each; sees 64 tokens.
pub struct EchoModels;

const LIMIT: usize = 64;

impl Models for EchoModels {
    fn list(&self) -> Vec<Served> {
        vec![Served { id: "echo".into(), created: 1_700_000_000 }]
    }

    fn generate(
        &self,
        request: &Generate,
        cancel: &Cancel,
        on_start: &mut dyn FnMut(),
        on_piece: &mut dyn FnMut(&Piece),
    ) -> Result<Generated, Fault> {
        if request.model != "echo" {
            return Err(Fault::no_model(&request.model));
        }
        let text = match &request.prompt {
            Prompt::Chat { messages, .. } => messages.last().unwrap().content.text().unwrap(),
            Prompt::Text(text) => text.clone(),
            Prompt::Tokens(tokens) => tokens.iter().map(|token| format!("{token} ")).collect(),
        };
        assert!(text != "panic", "the request asked for it");
        let words: Vec<&str> = text.split_inclusive(' ').collect();
        if words.len() > LIMIT {
            return Err(Fault::context_length(LIMIT, words.len(), request.max_tokens));
        }
        on_start();
        let wanted = request.max_tokens.unwrap_or(LIMIT);
        let mut sent = 0;
        for word in words.iter().take(wanted) {
            if cancel.is_cancelled() {
                break;
            }
            on_piece(&piece(word, request.top_logprobs));
            sent += 1;
        }
        let finish = if words.len() > wanted { Finish::Length } else { Finish::Stop };
        Ok(Generated {
            finish,
            prompt_tokens: words.len(),
            completion_tokens: sent,
            cached_tokens: 0,
        })
    }

    fn embed(&self, _: &str, texts: &[String]) -> Result<Embedded, Fault> {
        let vectors = texts.iter().map(|text| vec![text.len() as f32, 1.0]).collect();
        Ok(Embedded { vectors, tokens: texts.len() })
    }

    fn counters(&self) -> Vec<(String, infer::Counters)> {
        vec![("echo \"1\"".into(), infer::Counters { requests: 3, ..Default::default() })]
    }
}

/// A word is a token that was certain, and nothing else was likely but silence.
fn piece(word: &str, top: Option<usize>) -> Piece {
    let likely = |text: &str, logprob| Likely { text: text.into(), bytes: text.into(), logprob };
    let others = [likely(word, 0.0), likely("", f32::NEG_INFINITY)];
    let chosen = |n| Chosen { token: likely(word, 0.0), top: others.into_iter().take(n).collect() };
    Piece { text: word.into(), tokens: top.map(chosen).into_iter().collect() }
}
