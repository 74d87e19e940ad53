//! The learning rate over a run.

use serde::{Deserialize, Serialize};

/// Shape of the curve after warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Warm-up, stable, decay: constant, then linear down over the last part (arXiv 2404.06395).
    #[default]
    Wsd,
    /// Half a cosine from the end of warm-up to the end.
    Cosine,
    Constant,
}

/// A factor on the peak rate for each step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    pub form: Form,
    pub steps: u64,
    pub warmup_steps: u64,
    /// Steps over which a WSD schedule decays.
    pub decay_steps: u64,
    /// What is left of the peak at the end.
    pub final_fraction: f64,
}

impl Schedule {
    /// The factor at step `step`, counted from 1.
    pub fn factor(&self, step: u64) -> f64 {
        if step <= self.warmup_steps {
            return step as f64 / self.warmup_steps.max(1) as f64;
        }
        let toward_end =
            |progress: f64| self.final_fraction + (1.0 - self.final_fraction) * progress;
        match self.form {
            Form::Constant => 1.0,
            Form::Wsd => {
                let left = self.steps.saturating_sub(step) as f64;
                toward_end((left / self.decay_steps.max(1) as f64).min(1.0))
            }
            Form::Cosine => {
                let span = self.steps.saturating_sub(self.warmup_steps).max(1) as f64;
                let done = ((step - self.warmup_steps) as f64 / span).min(1.0);
                toward_end(0.5 * (1.0 + (std::f64::consts::PI * done).cos()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(form: Form) -> Schedule {
        Schedule { form, steps: 100, warmup_steps: 10, decay_steps: 20, final_fraction: 0.1 }
    }

    #[test]
    fn every_form_warms_up_to_the_peak_and_ends_where_it_should() {
        for (form, end) in [(Form::Wsd, 0.1), (Form::Cosine, 0.1), (Form::Constant, 1.0)] {
            let schedule = schedule(form);
            assert!((schedule.factor(1) - 0.1).abs() < 1e-12);
            assert!((schedule.factor(10) - 1.0).abs() < 1e-12);
            assert!((schedule.factor(100) - end).abs() < 1e-12, "{form:?}");
        }
    }

    #[test]
    fn a_stable_phase_stays_at_the_peak_and_decay_is_linear() {
        let schedule = schedule(Form::Wsd);
        assert!((11..=80).all(|step| schedule.factor(step) == 1.0));
        assert!((schedule.factor(90) - 0.55).abs() < 1e-12);
    }
}
