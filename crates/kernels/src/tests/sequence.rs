use proptest::prelude::*;

use super::{Random, assert_close, every_pool};
use crate::attention::{Block, BlockMut, KEY_BLOCK, Keys, Mask, Shape, Stored, attend, put};
use crate::pool::Pool;
use crate::reference;
use crate::rope::{Layout, Rotation, rotate};

fn any_shape() -> impl Strategy<Value = Shape> {
    let sizes = (0usize..120, 0usize..150, 1usize..4, 1usize..4, 1usize..90);
    let rules = (any::<bool>(), prop::option::of(1usize..100), prop::option::of(1.0f32..50.0));
    (sizes, rules).prop_map(|((n_queries, extra, kv_heads, group, head_dim), rules)| {
        let (causal, window, soft_cap) = rules;
        let mask = if causal { Mask::Causal { first: extra, window } } else { Mask::None };
        let n_keys = if causal { extra + n_queries } else { extra };
        let heads = kv_heads * group;
        Shape { n_queries, n_keys, heads, kv_heads, head_dim, mask, scale: 0.4, soft_cap }
    })
}

/// Rows of keys, arranged.
fn keys<E: Stored>(pool: &Pool, rows: &[f32], shape: &Shape) -> Keys<E> {
    let mut keys = Keys::new(shape.kv_heads * shape.head_dim);
    keys.set(pool, rows);
    keys
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn attention_agrees_with_the_reference(shape in any_shape(), seed: u64) {
        let random = &mut Random(seed);
        let q = random.values(shape.n_queries * shape.heads * shape.head_dim);
        let k = random.values(shape.n_keys * shape.kv_heads * shape.head_dim);
        let v = random.values(k.len());
        let mut expected = vec![0.0; q.len()];
        reference::attend(&mut expected, &q, &k, &v, &shape);
        for pool in every_pool() {
            let mut out = vec![f32::NAN; q.len()];
            attend(&pool, &mut out, &q, &keys(&pool, &k, &shape).blocks(&v), &shape);
            assert_close(&out, &expected, 5e-6, pool.isa().name());
        }
    }

    #[test]
    fn attention_over_half_floats_is_attention_over_their_values(shape in any_shape(), seed: u64) {
        let random = &mut Random(seed);
        let q = random.values(shape.n_queries * shape.heads * shape.head_dim);
        let mut halves = || -> Vec<half::f16> {
            let values = random.values(shape.n_keys * shape.kv_heads * shape.head_dim);
            values.into_iter().map(half::f16::from_f32).collect()
        };
        let (k, v) = (halves(), halves());
        let wide = |values: &[half::f16]| -> Vec<f32> { values.iter().map(|v| v.to_f32()).collect() };
        let mut expected = vec![0.0; q.len()];
        reference::attend(&mut expected, &q, &wide(&k), &wide(&v), &shape);
        for pool in every_pool() {
            let mut out = vec![f32::NAN; q.len()];
            attend(&pool, &mut out, &q, &keys(&pool, &wide(&k), &shape).blocks(&v), &shape);
            assert_close(&out, &expected, 5e-6, pool.isa().name());
        }
    }

    #[test]
    fn a_query_has_the_same_bits_alone_and_in_company(shape in any_shape(), half: bool, seed: u64) {
        let random = &mut Random(seed);
        let width = shape.heads * shape.head_dim;
        let q = random.values(shape.n_queries * width);
        let kv_width = shape.kv_heads * shape.head_dim;
        let rows = random.values(shape.n_keys * kv_width);
        let v = random.values(rows.len());
        let halves: Vec<half::f16> = v.iter().map(|&v| half::f16::from_f32(v)).collect();
        for pool in every_pool() {
            let attend = |q: &[f32], shape: &Shape| {
                let mut out = vec![f32::NAN; q.len()];
                let (rows, n) = (&rows[..shape.n_keys * kv_width], shape.n_keys * kv_width);
                match half {
                    true => attend(&pool, &mut out, q, &keys(&pool, rows, shape).blocks(&halves[..n]), shape),
                    false => attend(&pool, &mut out, q, &keys(&pool, rows, shape).blocks(&v[..n]), shape),
                }
                out
            };
            let together = attend(&q, &shape);
            for part in [1, 4, 7] {
                for start in (0..shape.n_queries).step_by(part) {
                    let end = shape.n_queries.min(start + part);
                    let mut own = Shape { n_queries: end - start, ..shape };
                    if let Mask::Causal { first, .. } = &mut own.mask {
                        // Later keys are not there yet.
                        *first += start;
                        own.n_keys = *first + own.n_queries;
                    }
                    let alone = attend(&q[start * width..end * width], &own);
                    let together = &together[start * width..end * width];
                    let same = alone.iter().zip(together).all(|(a, b)| a.to_bits() == b.to_bits());
                    prop_assert!(same, "{part} from {start} on {}", pool.isa());
                }
            }
        }
    }

    #[test]
    fn keys_are_the_same_however_they_came(
        width in 1usize..40, parts in prop::collection::vec(0usize..40, 0..6), cut in 0usize..99, seed: u64,
    ) {
        let n: usize = parts.iter().sum();
        let rows = Random(seed).values(n * width);
        let shape = Shape {
            n_queries: 1, n_keys: n, heads: 1, kv_heads: 1, head_dim: width, mask: Mask::None, scale: 1.0, soft_cap: None,
        };
        let q = Random(seed ^ 1).values(width);
        let mut expected = vec![0.0; width];
        reference::attend(&mut expected, &q, &rows, &rows, &shape);
        let pool = Pool::new(2);
        let block_len = KEY_BLOCK * width;
        let mut stored = vec![(vec![f32::NAN; block_len], vec![f32::NAN; block_len]); n.div_ceil(KEY_BLOCK)];
        let mut len = 0;
        for part in parts {
            // What was cut off comes again.
            let from = len - cut.min(len);
            len += part;
            let mut blocks: Vec<_> = stored[from / KEY_BLOCK..]
                .iter_mut()
                .map(|(keys, values)| BlockMut { keys, values })
                .collect();
            let rows = &rows[from * width..len * width];
            put(&pool, &mut blocks, from % KEY_BLOCK, rows, rows, width);
        }
        let blocks: Vec<_> =
            stored.iter().map(|(keys, values)| Block { keys, values }).collect();
        let mut out = vec![0.0; width];
        attend(&pool, &mut out, &q, &blocks, &shape);
        assert_close(&out, &expected, 5e-6, "keys in parts");
    }

    #[test]
    fn attention_has_the_same_bits_on_any_number_of_threads(shape in any_shape(), seed: u64) {
        let random = &mut Random(seed);
        let q = random.values(shape.n_queries * shape.heads * shape.head_dim);
        let k = random.values(shape.n_keys * shape.kv_heads * shape.head_dim);
        let v = random.values(k.len());
        let (mut alone, mut shared) = (q.clone(), q.clone());
        let pools = [Pool::new(1), Pool::new(3)];
        attend(&pools[0], &mut alone, &q, &keys(&pools[0], &k, &shape).blocks(&v), &shape);
        attend(&pools[1], &mut shared, &q, &keys(&pools[1], &k, &shape).blocks(&v), &shape);
        prop_assert!(alone.iter().zip(&shared).all(|(a, b)| a.to_bits() == b.to_bits()));
    }

    #[test]
    fn rotation_agrees_with_the_reference(
        tokens in 0usize..20, heads in 1usize..4, pairs in 0usize..40, unturned in 0usize..9, halves: bool, seed: u64,
    ) {
        let random = &mut Random(seed);
        let head_dim = 2 * pairs + unturned;
        let layout = if halves { Layout::Halves } else { Layout::Interleaved };
        let x = random.values(tokens * heads * head_dim);
        let positions: Vec<u32> = (0..tokens).map(|_| random.next() as u32 % 5000).collect();
        let inv_freq: Vec<f32> = (0..pairs).map(|i| 10_000f32.powf(-(i as f32) / pairs as f32)).collect();
        let mut expected = x.clone();
        reference::rotate(&mut expected, &positions, &inv_freq, heads, head_dim, layout);
        let rotation = Rotation::new(&positions, &inv_freq);
        for pool in every_pool() {
            let mut y = x.clone();
            rotate(&pool, &mut y, &rotation, heads, head_dim, layout);
            assert_close(&y, &expected, 1e-6, pool.isa().name());
        }
    }
}

/// Ten scores of one query are far apart in size and in rising order, so every block raises the maximum.
#[test]
fn rising_scores_rescale_what_was_summed_before() {
    let (n_keys, head_dim) = (400, 8);
    let k: Vec<f32> = (0..n_keys * head_dim).map(|i| (i / head_dim) as f32 * 0.02).collect();
    let v: Vec<f32> = (0..n_keys * head_dim).map(|i| (i % 97) as f32 / 97.0).collect();
    for n_queries in [1, 9] {
        let shape = Shape {
            n_queries,
            n_keys,
            heads: 1,
            kv_heads: 1,
            head_dim,
            mask: Mask::None,
            scale: 1.0,
            soft_cap: None,
        };
        let q = vec![1.0; n_queries * head_dim];
        let mut expected = vec![0.0; q.len()];
        reference::attend(&mut expected, &q, &k, &v, &shape);
        for pool in every_pool() {
            let mut out = vec![0.0; q.len()];
            attend(&pool, &mut out, &q, &keys(&pool, &k, &shape).blocks(&v), &shape);
            assert_close(&out, &expected, 1e-5, pool.isa().name());
        }
    }
}
