//! Updates of parameters, one pass over memory each.

use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::pool::Pool;
use crate::scratch::SharedMut;

/// Values per task.
const TASK: usize = 1 << 16;

/// One step of AdamW (arXiv 1711.05101) in the order of PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    pub learning_rate: f32,
    pub beta1: f32,
    pub beta2: f32,
    pub eps: f32,
    pub weight_decay: f32,
    /// Steps done, this one included; from 1.
    pub step: u64,
    /// Factor on the gradient (clipping).
    pub gradient_scale: f32,
}

/// p ← p (1 − lr · wd) − lr · m̂ / (√v̂ + eps), with m and v updated first.
///
/// # Panics
/// When lengths differ.
pub fn adamw(pool: &Pool, p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], step: AdamW) {
    let n = p.len();
    assert!(g.len() == n && m.len() == n && v.len() == n, "arrays of AdamW differ in length");
    let (p, m, v) = (SharedMut::new(p), SharedMut::new(m), SharedMut::new(v));
    pool.run(n.div_ceil(TASK), |task_idx| {
        let (start, end) = (task_idx * TASK, n.min((task_idx + 1) * TASK));
        let len = end - start;
        // SAFETY: tasks have disjoint ranges.
        let (p, m, v) = unsafe { (p.part(start, len), m.part(start, len), v.part(start, len)) };
        pool.isa().dispatch(Update { p, g: &g[start..end], m, v, step });
    });
}

struct Update<'a> {
    p: &'a mut [f32],
    g: &'a [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    step: AdamW,
}

impl Kernel for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        let Self { p, g, m, v, step } = self;
        let correction =
            |beta: f32| (1.0 - f64::from(beta).powi(step.step.min(1 << 30) as i32)) as f32;
        let rate = step.learning_rate / correction(step.beta1);
        let root = 1.0 / correction(step.beta2).sqrt();
        let keep = 1.0 - step.learning_rate * step.weight_decay;
        let (b1, b2) = (step.beta1, step.beta2);
        // Plain loops: compiled inside this kernel, they become vector code.
        for (((p, &g), m), v) in p.iter_mut().zip(g).zip(m.iter_mut()).zip(v.iter_mut()) {
            let g = g * step.gradient_scale;
            *m = b1 * *m + (1.0 - b1) * g;
            *v = b2 * *v + (1.0 - b2) * g * g;
            *p = *p * keep - rate * *m / ((*v).sqrt() * root + step.eps);
        }
    }
}

/// Σ x², each run of 65,536 values in f32 lanes, the runs' sums in f64 in order.
pub fn sum_of_squares(pool: &Pool, x: &[f32]) -> f64 {
    let n_tasks = x.len().div_ceil(TASK);
    let mut sums = vec![0.0f64; n_tasks];
    let shared = SharedMut::new(&mut sums);
    pool.run(n_tasks, |task_idx| {
        let x = &x[task_idx * TASK..x.len().min((task_idx + 1) * TASK)];
        // SAFETY: one sum per task.
        let sum = unsafe { &mut shared.part(task_idx, 1)[0] };
        *sum = x.chunks(1 << 12).map(|x| f64::from(pool.isa().dispatch(Squares { x }))).sum();
    });
    sums.into_iter().sum()
}

struct Squares<'a> {
    x: &'a [f32],
}

impl Kernel for Squares<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> f32 {
        crate::reduce::dot(lanes, self.x, self.x)
    }
}
