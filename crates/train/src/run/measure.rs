//! What is measured on the way and written at the end: held-out bits per byte, samples, the model.

use std::path::PathBuf;
use std::time::Instant;

use corpus::tokenizer::{Special, Tokenizer};
use ledger::record::{self, Record};
use model::cost;

use super::Run;
use crate::Error;
use crate::batch::Batch;
use crate::export;

impl Run<'_> {
    /// Held-out loss in bits per byte of text (per token, where there is no tokenizer to count bytes with).
    pub(super) fn evaluate(&mut self) -> Result<(), Error> {
        let Some(held_out) = &self.held_out else { return Ok(()) };
        let began = Instant::now();
        let passes = held_out.in_order(self.config.evaluation.sequences)?;
        self.refresh_merged();
        let weights = self.state.ema.as_ref().filter(|_| self.frozen.is_none());
        let weights = weights.unwrap_or(&self.state.trained);
        let weights = self.frozen.as_ref().map_or(weights, |frozen| &frozen.merged);
        let (mut nats, mut n_bytes, mut n_tokens, mut flop) = (0.0, 0, 0, 0.0);
        for batch in &passes {
            let outcome = self.network.evaluate(weights, batch);
            nats += outcome.loss_sum;
            n_tokens += outcome.n_counted as u64;
            n_bytes += self.tokenizer.as_ref().map_or(0, |tokenizer| bytes_of(tokenizer, batch));
            flop += cost::forward_flops(self.network.config(), &batch.lengths());
        }
        let bits = nats / std::f64::consts::LN_2;
        let (name, value, n) = if n_bytes > 0 {
            ("held-out bits per byte", bits / n_bytes as f64, n_bytes)
        } else {
            ("held-out bits per token", bits / n_tokens.max(1) as f64, n_tokens)
        };
        self.last_bits_per_byte = Some(value);
        let energy = self.meter.read(Instant::now());
        self.joules += energy.joules();
        let record = record::Evaluation {
            step: self.state.step,
            name: name.into(),
            value,
            stderr: None,
            n,
            flop,
            seconds: began.elapsed().as_secs_f64(),
            energy,
        };
        let now = (self.options.now)();
        if let Some(events) = &mut self.events {
            let at = now.as_millisecond() as f64 / 1e3;
            // Losing a point of a curve is told with the next step.
            let _ = events.scalars(at, self.state.step, &[("held_out/bits_per_byte", value)]);
        }
        self.journal.append(&Record::Evaluation(record), now)?;
        Ok(())
    }

    /// The likeliest continuation of each prompt, so that one can read what the model has learnt.
    pub(super) fn sample(&mut self) -> Result<(), Error> {
        let Some(tokenizer) = self.tokenizer.take() else { return Ok(()) };
        let outcome = self.sample_with(&tokenizer);
        self.tokenizer = Some(tokenizer);
        outcome
    }

    fn sample_with(&mut self, tokenizer: &Tokenizer) -> Result<(), Error> {
        let weights = self.frozen.as_ref().map_or(&self.state.trained, |frozen| &frozen.merged);
        let vocab = self.network.config().vocab;
        for prompt in self.config.evaluation.prompts.clone() {
            let began = Instant::now();
            let mut tokens = tokenizer.encode(&prompt, Special::Parse, false);
            tokens.retain(|&token| (token as usize) < vocab);
            let (n_prompt, mut flop) = (tokens.len(), 0.0);
            if n_prompt == 0 {
                continue;
            }
            while tokens.len() < n_prompt + self.config.evaluation.sample_tokens {
                flop += cost::forward_flops(self.network.config(), &[tokens.len() as u64]);
                let next = self.network.likeliest(weights, &tokens);
                if Some(next) == tokenizer.eos() {
                    break;
                }
                tokens.push(next);
            }
            let energy = self.meter.read(Instant::now());
            self.joules += energy.joules();
            let record = record::Sample {
                step: self.state.step,
                text: tokenizer.decode(&tokens[n_prompt..]),
                prompt,
                flop,
                seconds: began.elapsed().as_secs_f64(),
                energy,
            };
            self.journal.append(&Record::Sample(record), (self.options.now)())?;
        }
        Ok(())
    }

    /// Writes the model and the journal's last record.
    pub(super) fn finish(&mut self) -> Result<PathBuf, Error> {
        self.refresh_merged();
        let weights = self.state.ema.as_ref().filter(|_| self.frozen.is_none());
        let weights = weights.unwrap_or(&self.state.trained);
        let weights = self.frozen.as_ref().map_or(weights, |frozen| &frozen.merged);
        let folder = self.config.run_dir.join("model");
        let mut json = self.json.clone();
        let mut extra = Vec::new();
        if let Some(tokenizer) = &self.tokenizer {
            let end = |piece: &str| tokenizer.token_id(piece);
            let mut eos: Vec<u32> =
                ["<|im_end|>", "<|endoftext|>"].into_iter().filter_map(end).collect();
            if eos.is_empty() {
                eos.extend(tokenizer.eos());
            }
            let pad = end("<|endoftext|>").or(tokenizer.pad());
            if self.config.model.from.is_none()
                && let Some(fields) = json.as_object_mut()
            {
                fields.insert("eos_token_id".into(), eos.first().copied().into());
                fields.insert("pad_token_id".into(), pad.into());
                fields.insert("bos_token_id".into(), serde_json::Value::Null);
            }
            extra.push(("generation_config.json", export::generation_config(&eos, pad)));
        }
        let from = self.tokenizer_folder();
        let layout = self.network.layout();
        let hash = export::write(&folder, &json, layout, weights, from.as_deref(), &extra)?;
        let finished = record::Finished { step: self.state.step, weights_sha256: Some(hash) };
        self.journal.append(&Record::Finished(finished), (self.options.now)())?;
        self.journal.sync()?;
        Ok(folder)
    }

    /// Where the tokenizer's files lie: with the model that was started from, or with the shards.
    fn tokenizer_folder(&self) -> Option<PathBuf> {
        let shards = self.data.shards().directory().to_path_buf();
        let folders = self.config.model.from.clone().into_iter().chain([shards]);
        folders.into_iter().find(|folder| folder.join("tokenizer.json").is_file())
    }
}

/// Bytes of the text that the counted predictions spell.
fn bytes_of(tokenizer: &Tokenizer, batch: &Batch) -> u64 {
    let counted = batch.targets.iter().zip(&batch.counted).filter(|(_, counted)| **counted);
    let control = |token: u32| tokenizer.decode(&[token]).is_empty();
    counted
        .map(
            |(&token, _)| {
                if control(token) { 0 } else { tokenizer.piece_bytes(token).len() as u64 }
            },
        )
        .sum()
}
