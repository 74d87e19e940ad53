//! One step: passes over the micro-batches, clipping, the update, the record.

use std::sync::Arc;
use std::time::Instant;

use kernels::gemm::Update;
use kernels::optimiser::sum_of_squares;
use ledger::record::{self, Record};
use model::cost;

use super::{Progress, Run};
use crate::Error;
use crate::batch::Batch;
use crate::network::Share;
use crate::optimise;

/// Steps by which outliers are judged.
const WINDOW: usize = 128;
/// Fewer than these judge nothing.
const LEAST_WINDOW: usize = 32;
/// Loads of experts are written every so many steps.
const LOAD_EVERY: u64 = 10;

/// What the passes of a step found, all workers together.
struct Passes {
    loss: f64,
    tokens: u64,
    lengths: Vec<u64>,
    load: Vec<Vec<u64>>,
}

impl Run<'_> {
    /// Makes the next step.
    pub(super) fn one_step(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        let step = self.state.step + 1;
        let batches = self.data.passes(step, self.collective.rank(), self.collective.size())?;
        let passes = self.passes(step, &batches)?;
        let rate = self.peak_rate * self.schedule.factor(step);
        let (norm, skipped) = self.update(step, rate, passes.loss)?;
        self.state.step = step;
        let seconds = began.elapsed().as_secs_f64();
        let energy = self.meter.read(Instant::now());
        self.joules += energy.joules();
        let config = self.network.config();
        let palm = passes
            .lengths
            .iter()
            .map(|&length| length as f64 * cost::palm_training_flops_per_token(config, length));
        let model_flop = cost::training_flops(config, &passes.lengths);
        let expert_tokens = if step.is_multiple_of(LOAD_EVERY) || step == 1 {
            let row = |row: &Vec<u64>| row.iter().map(|&n| n as u32).collect();
            passes.load.iter().filter(|row| !row.is_empty()).map(row).collect()
        } else {
            Vec::new()
        };
        let record = record::Step {
            step,
            tokens: passes.tokens,
            loss: passes.loss,
            learning_rate: rate,
            grad_norm: norm,
            seconds,
            model_flop,
            palm_flop: palm.sum(),
            // The gradient of attention computes the scores again; nothing else is issued twice or padded.
            hardware_flop: model_flop + attention_again(config, &passes.lengths),
            energy,
            expert_tokens,
            skipped,
        };
        self.tell(record)
    }

    /// Forward and back over this worker's micro-batches; gradients of the whole batch stand in the array afterwards.
    fn passes(&mut self, step: u64, batches: &[Batch]) -> Result<Passes, Error> {
        let mut counts = [
            batches.iter().map(|batch| batch.n_counted() as u64).sum::<u64>(),
            batches.iter().map(|batch| batch.len() as u64).sum::<u64>(),
        ];
        self.collective.sum_u64(&mut counts);
        let [n_counted, n_tokens] = counts;
        self.refresh_merged();
        let parameters = self.frozen.as_ref().map_or(&self.state.trained, |frozen| &frozen.merged);
        let mut load: Vec<Vec<u64>> = Vec::new();
        let mut loss_sum = 0.0;
        for (idx, batch) in batches.iter().enumerate() {
            let share = Share {
                n_counted: n_counted as usize,
                n_tokens: n_tokens as usize,
                update: if idx == 0 { Update::Replace } else { Update::Add },
                earlier_load: &load,
            };
            let outcome = self.network.pass(parameters, &mut self.gradients, batch, share);
            if !outcome.loss_sum.is_finite() {
                let layer = self.network.first_not_finite(batch);
                let what = format!("the loss of micro-batch {} ({layer})", idx + 1);
                return Err(Error::NotFinite { step, what });
            }
            loss_sum += outcome.loss_sum;
            load.resize(outcome.expert_load.len(), Vec::new());
            for (sum, more) in load.iter_mut().zip(outcome.expert_load) {
                sum.resize(more.len(), 0);
                sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
            }
        }
        let mut sums = [loss_sum];
        self.collective.sum_f64(&mut sums);
        load.iter_mut().for_each(|row| self.collective.sum_u64(row));
        self.collective.sum_f32(&mut self.gradients);
        let lengths = batches.iter().flat_map(Batch::lengths).collect();
        let loss = sums[0] / n_counted.max(1) as f64;
        Ok(Passes { loss, tokens: n_tokens, lengths, load })
    }

    /// Clips and applies the gradient, unless the step is an outlier. Returns the gradient's norm before clipping and
    /// why it was not applied, if it was not.
    fn update(&mut self, step: u64, rate: f64, loss: f64) -> Result<(f64, Option<String>), Error> {
        let layout = Arc::clone(self.network.layout());
        let pool = Arc::clone(&self.pool);
        let (layout, gradients) = match &self.frozen {
            None => (&*layout, &self.gradients),
            Some(frozen) => {
                let (to, values) = (&mut self.adapter_gradients, &self.state.trained);
                frozen.adapters.gradients(&pool, to, &layout, &self.gradients, values);
                (frozen.adapters.layout(), &self.adapter_gradients)
            }
        };
        let norm = sum_of_squares(&pool, gradients).sqrt();
        if !norm.is_finite() {
            let at = gradients.iter().position(|g| !g.is_finite());
            let name = at.map_or("its square", |at| layout.tensor_at(at).name.as_str());
            return Err(Error::NotFinite { step, what: format!("the gradient of {name}") });
        }
        let training = &self.config.training;
        let skipped = outlier(&self.state.window, loss, norm, training.skip_sigma);
        if skipped.is_none() {
            let clip = training.clip;
            let scale = if clip > 0.0 && norm > clip { clip / norm } else { 1.0 };
            let settings = self.config.settings();
            let rates = (step, rate as f32, scale as f32);
            let state = &mut self.state;
            let (parameters, moments) = (&mut state.trained, &mut state.moments);
            optimise::step(&pool, layout, &settings, parameters, gradients, moments, rates);
        }
        remember(&mut self.state.window, loss, norm);
        if let Some(ema) = &mut self.state.ema {
            let part = 1.0 - training.ema;
            for (ema, p) in ema.iter_mut().zip(&self.state.trained) {
                *ema += part * (p - *ema);
            }
        }
        Ok((norm, skipped))
    }

    /// Into the journal, to TensorBoard, to whoever watches.
    fn tell(&mut self, record: record::Step) -> Result<(), Error> {
        let now = (self.options.now)();
        if let Some(events) = &mut self.events {
            let values = [
                ("loss/train", record.loss),
                ("optimiser/learning_rate", record.learning_rate),
                ("optimiser/gradient_norm", record.grad_norm),
                ("speed/tokens_per_s", record.tokens as f64 / record.seconds),
            ];
            let at = now.as_millisecond() as f64 / 1e3;
            if let Err(error) = events.scalars(at, record.step, &values) {
                self.observer.note(&format!("TensorBoard's file cannot be written: {error}"));
                self.events = None;
            }
        }
        self.pace.push(record.seconds);
        if self.pace.len() > 20 {
            self.pace.remove(0);
        }
        let pace = self.pace.iter().sum::<f64>() / self.pace.len() as f64;
        let utilisation =
            self.options.peak_flop_per_s.map(|peak| record.model_flop / record.seconds / peak);
        let progress = Progress {
            record: &record,
            n_steps: self.schedule.steps,
            joules: self.joules,
            utilisation,
            seconds_left: pace * self.schedule.steps.saturating_sub(record.step) as f64,
        };
        self.observer.step(&progress);
        self.journal.append(&Record::Step(record), now)?;
        Ok(())
    }
}

/// Outliers are remembered too: a loss that rises for good is an outlier for a while and then the new measure, where a
/// run that forgot them would stand still for ever.
fn remember(window: &mut Vec<(f64, f64)>, loss: f64, norm: f64) {
    if window.len() == WINDOW {
        window.remove(0);
    }
    window.push((loss, norm));
}

/// Why this step should not be applied: its loss or its gradient's norm lies far above those of the last steps.
fn outlier(window: &[(f64, f64)], loss: f64, norm: f64, sigma: f64) -> Option<String> {
    if sigma <= 0.0 || window.len() < LEAST_WINDOW {
        return None;
    }
    let n = window.len() as f64;
    let above = |values: &dyn Fn(&(f64, f64)) -> f64, value: f64| {
        let mean = window.iter().map(values).sum::<f64>() / n;
        let variance = window.iter().map(|v| (values(v) - mean).powi(2)).sum::<f64>() / n;
        (value - mean) / variance.sqrt().max(1e-12)
    };
    let (loss_z, norm_z) = (above(&|v| v.0, loss), above(&|v| v.1, norm));
    match () {
        () if loss_z > sigma => {
            Some(format!("the loss lies {loss_z:.1} deviations above the last"))
        }
        () if norm_z > sigma => {
            Some(format!("the gradient lies {norm_z:.1} deviations above the last"))
        }
        () => None,
    }
}

/// FLOPs of the scores that attention's gradient computes again: half of a forward pass of attention.
fn attention_again(config: &model::config::DecoderConfig, lengths: &[u64]) -> f64 {
    let n: u64 = lengths.iter().sum();
    let products = 2.0 * n as f64 * cost::matrix_weights_per_token(config) as f64;
    0.5 * (cost::forward_flops(config, lengths) - products)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::initial::Random;

    /// Losses about `level` with the noise of batches.
    fn noisy(random: &mut Random, level: f64) -> (f64, f64) {
        let noise = |random: &mut Random| (random.bits() % 1000) as f64 / 1e4;
        (level + noise(random), 1.0 + noise(random))
    }

    #[test]
    fn a_spike_is_skipped_and_noise_is_not() {
        let mut random = Random::new(3);
        let mut window = Vec::new();
        for step in 0..400 {
            let (loss, norm) = noisy(&mut random, 3.0);
            assert_eq!(outlier(&window, loss, norm, 6.0), None, "step {step}");
            remember(&mut window, loss, norm);
        }
        assert!(outlier(&window, 4.0, 1.0, 6.0).is_some_and(|why| why.contains("loss")));
        assert!(outlier(&window, 3.0, 9.0, 6.0).is_some_and(|why| why.contains("gradient")));
        assert_eq!(outlier(&window, 4.0, 9.0, 0.0), None, "switched off");
        assert_eq!(
            outlier(&window[..LEAST_WINDOW - 1], 4.0, 9.0, 6.0),
            None,
            "too few to judge by"
        );
    }

    #[test]
    fn a_loss_that_rises_for_good_does_not_stop_the_run() {
        let mut random = Random::new(4);
        let mut window = Vec::new();
        for _ in 0..WINDOW {
            let (loss, norm) = noisy(&mut random, 3.0);
            remember(&mut window, loss, norm);
        }
        // Other data from here on.
        let skipped = (0..3 * WINDOW).filter(|_| {
            let (loss, norm) = noisy(&mut random, 5.0);
            let skipped = outlier(&window, loss, norm, 6.0).is_some();
            remember(&mut window, loss, norm);
            skipped
        });
        let skipped = skipped.count();
        assert!((1..WINDOW / 4).contains(&skipped), "{skipped} steps skipped");
    }
}
