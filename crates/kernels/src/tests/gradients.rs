//! Backward passes against finite differences of forward passes written once more in f64.

use super::{Random, every_pool};
use crate::causal::{Kept, Texts, attention, attention_gradient};
use crate::experts::{self, Shape, Slots};
use crate::gemm::Update;
use crate::heads::{GainGradient, HeadNorm, Heads, turn, turn_gradient};
use crate::loss::cross_entropy;
use crate::norm::{column_sums, rms_norm_gradient};
use crate::router::{self, Choice, RouterLoss, Sorted};

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

/// Central differences of `f` at `x`.
fn differences(x: &[f32], f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let mut x = wide(x);
    let step = 1e-5;
    (0..x.len())
        .map(|i| {
            let at = x[i];
            x[i] = at + step;
            let above = f(&x);
            x[i] = at - step;
            let below = f(&x);
            x[i] = at;
            (above - below) / (2.0 * step)
        })
        .collect()
}

#[track_caller]
fn assert_gradient(got: &[f32], expected: &[f64], what: &str) {
    let size = expected.iter().fold(1e-3, |a: f64, b| a.max(b.abs()));
    for (i, (a, b)) in got.iter().zip(expected).enumerate() {
        let difference = (f64::from(*a) - b).abs();
        assert!(difference <= 2e-5 * size, "{what}: element {i} is {a}, differences give {b}");
    }
}

fn sum_of_products(a: &[f64], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * f64::from(*b)).sum()
}

fn rms(x: &[f64], gain: &[f64], eps: f64) -> Vec<f64> {
    let mean = x.iter().map(|v| v * v).sum::<f64>() / x.len() as f64;
    x.iter().zip(gain).map(|(x, gain)| x * gain / (mean + eps).sqrt()).collect()
}

#[test]
fn the_gradient_of_a_norm_agrees_with_differences() {
    let random = &mut Random(1);
    for (n, width) in [(1, 1), (3, 19), (130, 16)] {
        let (x, gain) = (random.values(n * width), random.values(width));
        let (dy, before) = (random.values(n * width), random.values(n * width));
        let norm = |x: &[f64], gain: &[f64]| -> f64 {
            let y: Vec<f64> = x.chunks(width).flat_map(|row| rms(row, gain, 1e-3)).collect();
            sum_of_products(&y, &dy)
        };
        let mut expected_x = differences(&x, |x| norm(x, &wide(&gain)));
        expected_x.iter_mut().zip(&before).for_each(|(e, b)| *e += f64::from(*b));
        let expected_gain = differences(&gain, |gain| norm(&wide(&x), gain));
        for pool in every_pool() {
            let (mut dx, mut dgain) = (before.clone(), vec![f32::NAN; width]);
            let updates = (Update::Add, Update::Replace);
            rms_norm_gradient(&pool, &mut dx, &mut dgain, &dy, &x, &gain, 1e-3, updates);
            assert_gradient(&dx, &expected_x, "dx");
            assert_gradient(&dgain, &expected_gain, "dgain");
            let mut sums = vec![1.0; width];
            column_sums(&pool, &mut sums, &x, Update::Add);
            let expected: Vec<f64> = (0..width)
                .map(|c| 1.0 + wide(&x).chunks(width).map(|r| r[c]).sum::<f64>())
                .collect();
            assert_gradient(&sums, &expected, "column sums");
        }
    }
}

#[test]
fn the_gradient_of_cross_entropy_agrees_with_differences() {
    let random = &mut Random(2);
    for vocab in [1, 7, 40] {
        let (n, z) = (5, 0.01);
        let logits: Vec<f32> = random.values(n * vocab).iter().map(|v| v * 4.0).collect();
        let target: Vec<u32> = (0..n).map(|_| (random.next() % vocab as u64) as u32).collect();
        let weight = [0.2, 0.0, 1.0, 0.5, 0.3];
        let losses = |x: &[f64]| -> Vec<(f64, f64)> {
            let row = |(row, &target): (&[f64], &u32)| {
                let log_sum = row.iter().map(|v| v.exp()).sum::<f64>().ln();
                (log_sum - row[target as usize], log_sum)
            };
            x.chunks(vocab).zip(&target).map(row).collect()
        };
        let total = |x: &[f64]| -> f64 {
            let sum = losses(x).into_iter().zip(weight);
            sum.map(|((loss, log_sum), w)| f64::from(w) * (loss + z * log_sum * log_sum)).sum()
        };
        let expected = differences(&logits, total);
        for pool in every_pool() {
            let (mut dl, mut got) = (logits.clone(), vec![0.0; n]);
            cross_entropy(&pool, &mut dl, &mut got, &target, &weight, z as f32);
            assert_gradient(&dl, &expected, "dlogits");
            let theirs: Vec<f64> =
                losses(&wide(&logits)).into_iter().map(|(loss, _)| loss).collect();
            assert_gradient(&got, &theirs, "loss");
        }
    }
}

/// Texts, heads, window; the whole way from raw projections to the output.
#[test]
fn the_gradient_of_attention_with_normed_and_turned_heads_agrees_with_differences() {
    let random = &mut Random(3);
    let cases = [
        (vec![0, 5, 6, 17], 2, 1, 4, usize::MAX),
        (vec![0, 60], 2, 2, 2, usize::MAX),
        (vec![0, 53], 1, 1, 6, 9),
    ];
    for (starts, n_heads, n_kv_heads, dim, window) in cases {
        let heads = Heads { n_heads, n_kv_heads, dim };
        let n = *starts.last().unwrap() as usize;
        let texts = Texts { starts: &starts, heads, scale: 0.7, window };
        let position: Vec<u32> = starts.windows(2).flat_map(|pair| 0..pair[1] - pair[0]).collect();
        let turns: Vec<f32> = (0..n)
            .flat_map(|p| {
                let angle = move |i: usize| p as f32 * 0.3 / (i + 1) as f32;
                let cosines = (0..dim / 2).map(move |i| angle(i).cos());
                cosines.chain((0..dim / 2).map(move |i| angle(i).sin()))
            })
            .collect();
        let raw = random.values(n * heads.raw_width());
        let (query_gain, key_gain) = (random.values(dim), random.values(dim));
        let d_o = random.values(n * n_heads * dim);
        let total = |raw: &[f64], gains: &[f64]| -> f64 {
            let o = forward(raw, gains, &turns, &position, texts);
            sum_of_products(&o, &d_o)
        };
        let gains: Vec<f32> = query_gain.iter().chain(&key_gain).copied().collect();
        let expected_raw = differences(&raw, |raw| total(raw, &wide(&gains)));
        let expected_gains = differences(&gains, |gains| total(&wide(&raw), gains));
        for pool in every_pool() {
            let norm = HeadNorm { query_gain: &query_gain, key_gain: &key_gain, eps: 1e-3 };
            let mut turned = vec![f32::NAN; n * heads.turned_width()];
            turn(&pool, &mut turned, &raw, Some(norm), &turns, &position, heads);
            let mut o = vec![f32::NAN; d_o.len()];
            let mut log_sum = vec![f32::NAN; n * n_heads];
            attention(&pool, &mut o, &mut log_sum, &turned, &raw, texts);
            let theirs = forward(&wide(&raw), &wide(&gains), &turns, &position, texts);
            assert_gradient(&o, &theirs, "o");
            let mut dturned = vec![f32::NAN; turned.len()];
            let mut draw = vec![f32::NAN; raw.len()];
            let kept = Kept { turned: &turned, raw: &raw, o: &o, log_sum: &log_sum };
            attention_gradient(&pool, &mut dturned, &mut draw, &d_o, kept, texts);
            let (mut query, mut key) = (vec![f32::NAN; dim], vec![f32::NAN; dim]);
            let update = Update::Replace;
            let gradient = GainGradient { query: &mut query, key: &mut key, update };
            let norm = Some((norm, gradient));
            turn_gradient(&pool, &mut draw, &mut dturned, &raw, norm, &turns, &position, heads);
            assert_gradient(&draw, &expected_raw, "draw");
            assert_gradient(&[query, key].concat(), &expected_gains, "gains");
        }
    }
}

fn forward(
    raw: &[f64],
    gains: &[f64],
    turns: &[f32],
    position: &[u32],
    texts: Texts<'_>,
) -> Vec<f64> {
    let Heads { n_heads, n_kv_heads, dim } = texts.heads;
    let width = texts.heads.raw_width();
    let head = |t: usize, h: usize| -> Vec<f64> {
        let gain = if h < n_heads { &gains[..dim] } else { &gains[dim..] };
        let normed = rms(&raw[t * width + h * dim..][..dim], gain, 1e-3);
        let angles = &turns[position[t] as usize * dim..][..dim];
        let half = dim / 2;
        let mut out = normed.clone();
        for i in 0..half {
            let (cosine, sine) = (f64::from(angles[i]), f64::from(angles[half + i]));
            out[i] = normed[i] * cosine - normed[half + i] * sine;
            out[half + i] = normed[half + i] * cosine + normed[i] * sine;
        }
        out
    };
    let mut o = vec![0.0; position.len() * n_heads * dim];
    for text in texts.starts.windows(2) {
        let text = text[0] as usize..text[1] as usize;
        for h in 0..n_heads {
            let kv = h / (n_heads / n_kv_heads);
            for t in text.clone() {
                let q = head(t, h);
                let first = (t + 1).saturating_sub(texts.window).max(text.start);
                let weights: Vec<f64> = (first..=t)
                    .map(|s| {
                        let k = head(s, n_heads + kv);
                        let score: f64 = q.iter().zip(&k).map(|(q, k)| q * k).sum();
                        (score * f64::from(texts.scale)).exp()
                    })
                    .collect();
                let sum: f64 = weights.iter().sum();
                for (s, weight) in (first..=t).zip(weights) {
                    let at = s * width + (n_heads + n_kv_heads + kv) * dim;
                    for i in 0..dim {
                        o[(t * n_heads + h) * dim + i] += weight / sum * raw[at + i];
                    }
                }
            }
        }
    }
    o
}

/// Router and experts together, with an expert that nobody chooses, ties, and both losses of the router.
#[test]
fn the_gradient_of_a_mixture_agrees_with_differences() {
    let random = &mut Random(4);
    for renormalise in [true, false] {
        let (n, n_experts, n_choices) = (9, 5, 2);
        let shape = Shape { hidden: 7, inner: 5 };
        let Shape { hidden, inner } = shape;
        let x = random.values(n * hidden);
        let mut logits = random.values(n * n_experts);
        // The last expert is never among the best two.
        logits.chunks_mut(n_experts).for_each(|row| row[n_experts - 1] = -5.0);
        let gate_up = random.values(n_experts * 2 * inner * hidden);
        let down = random.values(n_experts * hidden * inner);
        let dy = random.values(n * hidden);
        let (balance, z) = ([0.3_f32, 0.1, 0.4, 0.1, 0.0], 0.05);
        let pool = &every_pool()[0];
        let mut choice = Choice::default();
        router::choose(pool, &mut choice, &logits, n_experts, n_choices, renormalise);
        let chosen = choice.expert.clone();
        let total = |x: &[f64], logits: &[f64], gate_up: &[f64], down: &[f64]| -> f64 {
            let mut total = 0.0;
            for t in 0..n {
                let row = &logits[t * n_experts..][..n_experts];
                let sum: f64 = row.iter().map(|l| l.exp()).sum();
                let p: Vec<f64> = row.iter().map(|l| l.exp() / sum).collect();
                total +=
                    p.iter().zip(balance).map(|(p, f)| p * f64::from(f)).sum::<f64>() / n as f64;
                total += z * sum.ln().powi(2) / n as f64;
                let mine = &chosen[t * n_choices..][..n_choices];
                let norm: f64 =
                    if renormalise { mine.iter().map(|&e| p[e as usize]).sum() } else { 1.0 };
                let row = &x[t * hidden..][..hidden];
                for &e in mine {
                    let e = e as usize;
                    let dot = |w: &[f64]| row.iter().zip(w).map(|(x, w)| x * w).sum::<f64>();
                    for i in 0..inner {
                        let at = |part: usize| (e * 2 * inner + part * inner + i) * hidden;
                        let gate = dot(&gate_up[at(0)..][..hidden]);
                        let up = dot(&gate_up[at(1)..][..hidden]);
                        let a = gate / (1.0 + (-gate).exp()) * up * p[e] / norm;
                        for d in 0..hidden {
                            let y = a * down[(e * hidden + d) * inner + i];
                            total += y * f64::from(dy[t * hidden + d]);
                        }
                    }
                }
            }
            total
        };
        let (wx, wl, wg, wd) = (wide(&x), wide(&logits), wide(&gate_up), wide(&down));
        let expected_x = differences(&x, |x| total(x, &wl, &wg, &wd));
        let expected_logits = differences(&logits, |l| total(&wx, l, &wg, &wd));
        let expected_gate_up = differences(&gate_up, |g| total(&wx, &wl, g, &wd));
        let expected_down = differences(&down, |d| total(&wx, &wl, &wg, d));
        for pool in every_pool() {
            let mut choice = Choice::default();
            router::choose(&pool, &mut choice, &logits, n_experts, n_choices, renormalise);
            let mut sorted = Sorted::default();
            router::sort(&mut sorted, &choice, n_experts);
            let (starts, token, weight) = (&sorted.starts, &sorted.token, &sorted.weight);
            let slots = Slots { starts, token: Some(token), weight: Some(weight) };
            let n_slots = slots.len();
            let mut h = vec![f32::NAN; n_slots * 2 * inner];
            let mut a = vec![f32::NAN; n_slots * inner];
            experts::gate_up(&pool, &mut h, &mut a, &x, &gate_up, slots, shape);
            let mut dweight = vec![f32::NAN; n_slots * experts::weight_partials(inner)];
            experts::activation_gradient(
                &pool,
                &mut h,
                &mut a,
                &mut dweight,
                &dy,
                &down,
                slots,
                shape,
            );
            let mut d_down = vec![f32::NAN; down.len()];
            experts::down_gradient(&pool, &mut d_down, &dy, &a, slots, shape, Update::Replace);
            assert_gradient(&d_down, &expected_down, "down");
            let mut d_gate_up = vec![f32::NAN; gate_up.len()];
            experts::gate_up_gradient(&pool, &mut d_gate_up, &h, &x, slots, shape, Update::Replace);
            assert_gradient(&d_gate_up, &expected_gate_up, "gate and up");
            let mut by_slot = vec![f32::NAN; n_slots * hidden];
            experts::input_gradient(
                &pool,
                &mut by_slot,
                &h,
                &gate_up,
                slots,
                shape,
                Update::Replace,
            );
            let mut dx = vec![0.0; x.len()];
            experts::combine(&pool, &mut dx, &by_slot, &sorted.slot_of, hidden);
            assert_gradient(&dx, &expected_x, "x");
            let mut dlogits = vec![f32::NAN; logits.len()];
            let loss = RouterLoss { balance: &balance, z: z as f32, n_tokens: n as f32 };
            router::gradient(&pool, &mut dlogits, &choice, &sorted, &dweight, loss, renormalise);
            assert_gradient(&dlogits, &expected_logits, "logits");
        }
    }
}

/// Tasks take some of an expert's columns, and each leaves its part of the sum: none may be forgotten or written twice.
#[test]
fn the_gradient_of_a_routers_weight_is_complete_for_experts_of_any_width() {
    let (n, hidden) = (3, 8);
    for inner in [1, 31, 96, 129, 160, 192, 256, 600, 1100] {
        let mut random = Random(inner as u64 + 1);
        let (x, dy) = (random.values(n * hidden), random.values(n * hidden));
        let (gate_up, down) = (random.values(2 * inner * hidden), random.values(hidden * inner));
        let weight = vec![0.5; n];
        let slots = Slots { starts: &[0, n as u32], token: None, weight: Some(&weight) };
        let shape = Shape { hidden, inner };
        for pool in every_pool() {
            let (mut h, mut a) = (vec![f32::NAN; n * 2 * inner], vec![f32::NAN; n * inner]);
            experts::gate_up(&pool, &mut h, &mut a, &x, &gate_up, slots, shape);
            let mut parts = vec![f32::NAN; n * experts::weight_partials(inner)];
            experts::activation_gradient(
                &pool, &mut h, &mut a, &mut parts, &dy, &down, slots, shape,
            );
            for t in 0..n {
                let dot = |w: &[f32], v: &[f32]| -> f64 {
                    w.iter().zip(v).map(|(&w, &v)| f64::from(w) * f64::from(v)).sum()
                };
                let row = &x[t * hidden..][..hidden];
                let expected: f64 = (0..inner)
                    .map(|i| {
                        let gate = dot(&gate_up[i * hidden..][..hidden], row);
                        let up = dot(&gate_up[(inner + i) * hidden..][..hidden], row);
                        let column: Vec<f32> = (0..hidden).map(|d| down[d * inner + i]).collect();
                        dot(&column, &dy[t * hidden..][..hidden]) * up * gate
                            / (1.0 + (-gate).exp())
                    })
                    .sum();
                let n_parts = experts::weight_partials(inner);
                let sum: f32 = parts[t * n_parts..][..n_parts].iter().sum();
                let error = (f64::from(sum) - expected).abs();
                assert!(
                    error <= 1e-4 * expected.abs().max(1.0),
                    "{}, width {inner}, slot {t}: {sum} instead of {expected}",
                    pool.isa()
                );
            }
        }
    }
}

#[test]
fn equal_scores_go_to_the_lower_expert() {
    let pool = &every_pool()[0];
    let mut choice = Choice::default();
    router::choose(pool, &mut choice, &[1.0, 3.0, 3.0, 3.0, 0.0, 0.0, 0.0, 0.0], 4, 2, true);
    assert_eq!(choice.expert, [1, 2, 0, 1]);
    assert_eq!(choice.weight, [0.5; 4]);
}
