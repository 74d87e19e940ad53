//! A panel as [`crate::rounded::panel`] multiplies it: bytes [inputs / 4][16 rows][4], scales and minimums [groups][16].

use std::marker::PhantomData;
use std::ops::Range;

use super::blocks::{self, Sixteen};
use super::{Interleaved, PANEL};
use crate::format::Format;
use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;

/// Unpacks `inputs` of the rows of a panel. `with_shift` leaves integers without a sign, as products with VNNI take them.
pub(in crate::rounded) fn panel(
    isa: Isa,
    p: &mut [u8],
    scales: &mut [f32],
    minimums: &mut [f32],
    (w, panel_idx): (&Interleaved<'_>, usize),
    inputs: Range<usize>,
    with_shift: bool,
) {
    let format = w.format();
    assert!(p.len() == PANEL * inputs.len() && inputs.end <= w.cols());
    let start = inputs.start / format.block_len() * format.block_bytes() * PANEL;
    let from = &w.panel(panel_idx)[start..];
    let fill = Fill { p, scales, minimums, from, n_inputs: inputs.len(), with_shift };
    match format {
        Format::Q8_0 => isa.dispatch(With::<blocks::Q8_0>(fill, PhantomData)),
        Format::Q4_0 => isa.dispatch(With::<blocks::Q4_0>(fill, PhantomData)),
        Format::Q4_1 => isa.dispatch(With::<blocks::Q4_1>(fill, PhantomData)),
        Format::Q5_0 => isa.dispatch(With::<blocks::Q5_0>(fill, PhantomData)),
        Format::Q4K => isa.dispatch(With::<blocks::Q4K>(fill, PhantomData)),
        Format::Q5K => isa.dispatch(With::<blocks::Q5K>(fill, PhantomData)),
        Format::Q6K => isa.dispatch(With::<blocks::Q6K>(fill, PhantomData)),
        Format::F32 | Format::F16 | Format::Bf16 => unreachable!("checked when it was made"),
    }
}

struct Fill<'a> {
    p: &'a mut [u8],
    scales: &'a mut [f32],
    minimums: &'a mut [f32],
    from: &'a [u8],
    n_inputs: usize,
    with_shift: bool,
}

struct With<'a, S>(Fill<'a>, PhantomData<S>);

impl<S: Sixteen> Kernel for With<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Fill { p, scales, minimums, from, n_inputs, with_shift } = self.0;
        let block_len = S::GROUPS * S::GROUP;
        let n_blocks = n_inputs / block_len;
        let n_factors = n_blocks * S::GROUPS * PANEL;
        assert!(from.len() >= n_blocks * PANEL * S::BYTES && p.len() >= n_inputs * PANEL);
        assert!(scales.len() >= n_factors && minimums.len() >= n_factors);
        let shift = if with_shift { 0 } else { S::SHIFT.wrapping_neg() };
        let shift = lanes.splat_int(i32::from_ne_bytes([shift; 4]));
        let mut to = p.as_mut_ptr();
        for b in 0..n_blocks {
            for group in 0..S::GROUPS {
                let to_factors = (b * S::GROUPS + group) * PANEL;
                // SAFETY: lengths were checked above.
                unsafe {
                    let at = from.as_ptr().add(b * PANEL * S::BYTES);
                    for part in 0..PANEL / L::N {
                        for k in 0..S::GROUP / 4 {
                            let mut four = S::four(lanes, at, group, k, part);
                            if S::SHIFT > 0 {
                                four = lanes.add_bytes(four, shift);
                            }
                            lanes.store_int(to.add(4 * (PANEL * k + L::N * part)), four);
                        }
                        let (scale, minimum) = S::factors(lanes, at, group, part);
                        lanes.store(scales.as_mut_ptr().add(to_factors + L::N * part), scale);
                        lanes.store(minimums.as_mut_ptr().add(to_factors + L::N * part), minimum);
                    }
                    to = to.add(PANEL * S::GROUP);
                }
            }
        }
    }
}
