//! How the next token is chosen, as a request says it: read, checked, given defaults.

use std::collections::HashMap;

use serde::Deserialize;

use super::{Fault, whole_numbers};

/// Checked values. `temperature` 0 takes the likeliest token.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    pub temperature: f32,
    pub top_p: f32,
    /// 0 keeps all.
    pub top_k: usize,
    pub min_p: f32,
    pub repetition_penalty: f32,
    pub presence_penalty: f32,
    pub frequency_penalty: f32,
    /// `None` takes a new seed each time.
    pub seed: Option<u64>,
    /// (token, what is added to its logit)
    pub logit_bias: Vec<(u32, f32)>,
}

impl Sampling {
    /// The same for the `index`-th of several choices: each draws differently, and a seed repeats them all.
    pub(super) fn choice(&self, index: usize) -> Self {
        Self { seed: self.seed.map(|seed| seed.wrapping_add(index as u64)), ..self.clone() }
    }
}

/// The sampling fields of a request. `top_k`, `min_p` and `repetition_penalty` are this server's own.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    temperature: Option<f32>,
    top_p: Option<f32>,
    #[serde(default, deserialize_with = "whole_numbers::optional")]
    top_k: Option<usize>,
    min_p: Option<f32>,
    repetition_penalty: Option<f32>,
    presence_penalty: Option<f32>,
    frequency_penalty: Option<f32>,
    #[serde(default, deserialize_with = "whole_numbers::optional")]
    seed: Option<i64>,
    logit_bias: Option<HashMap<String, f32>>,
}

impl Asked {
    pub(super) fn check(&self) -> Result<Sampling, Fault> {
        let within = |name: &str, value: Option<f32>, default: f32, low: f32, high: f32| match value
        {
            None => Ok(default),
            Some(value) if (low..=high).contains(&value) => Ok(value),
            Some(value) => {
                Err(Fault::bad(format!("{name}: {value} is not between {low} and {high}"))
                    .param(name)
                    .code("invalid_value"))
            }
        };
        Ok(Sampling {
            temperature: within("temperature", self.temperature, 1.0, 0.0, 2.0)?,
            top_p: within("top_p", self.top_p, 1.0, 0.0, 1.0)?,
            top_k: self.top_k.unwrap_or(0),
            min_p: within("min_p", self.min_p, 0.0, 0.0, 1.0)?,
            repetition_penalty: within(
                "repetition_penalty",
                self.repetition_penalty,
                1.0,
                0.1,
                10.0,
            )?,
            presence_penalty: within("presence_penalty", self.presence_penalty, 0.0, -2.0, 2.0)?,
            frequency_penalty: within("frequency_penalty", self.frequency_penalty, 0.0, -2.0, 2.0)?,
            seed: self.seed.map(i64::cast_unsigned),
            logit_bias: self.bias()?,
        })
    }
}

impl Asked {
    fn bias(&self) -> Result<Vec<(u32, f32)>, Fault> {
        let bias = self.logit_bias.iter().flatten().map(|(token, &bias)| {
            let token = token.parse().ok().filter(|_| (-100.0..=100.0).contains(&bias));
            token.map(|token| (token, bias)).ok_or_else(|| {
                Fault::bad("logit_bias: token numbers with values from -100 to 100")
                    .param("logit_bias")
            })
        });
        let mut bias = bias.collect::<Result<Vec<_>, _>>()?;
        bias.sort_unstable_by_key(|&(token, _)| token);
        Ok(bias)
    }
}

/// How many choices of each prompt.
pub(super) fn choices(n: Option<u32>) -> Result<usize, Fault> {
    const MOST: u32 = 16;
    match n.unwrap_or(1) {
        n @ 1..=MOST => Ok(n as usize),
        _ => Err(Fault::bad(format!("n: from 1 to {MOST}")).param("n").code("invalid_value")),
    }
}

/// `stop`: nothing, one string, or up to sixteen.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
pub(super) enum Stop {
    #[default]
    None,
    One(String),
    Several(Vec<String>),
}

impl Stop {
    pub(super) fn check(self) -> Result<Vec<String>, Fault> {
        let stops = match self {
            Stop::None => Vec::new(),
            Stop::One(stop) => vec![stop],
            Stop::Several(stops) => stops,
        };
        if stops.len() > 16 || stops.iter().any(String::is_empty) {
            return Err(Fault::bad("stop: up to 16 strings, none of them empty").param("stop"));
        }
        Ok(stops)
    }
}
