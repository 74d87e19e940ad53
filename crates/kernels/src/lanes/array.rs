//! The portable lanes: plain arrays, which compilers turn into whatever vectors the target has.

use super::Lanes;

#[derive(Clone, Copy)]
pub(crate) struct Array<const N: usize>;

#[inline(always)]
fn zip<T: Copy, U: Copy, const N: usize>(a: [T; N], b: [T; N], f: impl Fn(T, T) -> U) -> [U; N] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

/// A fused multiply-add where the target has the instruction; elsewhere it would be a slow library call.
#[inline(always)]
pub(crate) fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
        a.mul_add(b, c)
    } else {
        a * b + c
    }
}

impl<const N: usize> Lanes for Array<N> {
    const N: usize = N;
    type F = [f32; N];
    type I = [i32; N];

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> [f32; N] {
        // SAFETY: the caller promises N readable f32.
        unsafe { from.cast::<[f32; N]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: [f32; N]) {
        // SAFETY: the caller promises N writable f32.
        unsafe { to.cast::<[f32; N]>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn load_f16(self, from: *const u8) -> [f32; N] {
        // SAFETY: the caller promises 2 N readable bytes.
        let halves = unsafe { from.cast::<[u16; N]>().read_unaligned() };
        halves.map(|bits| half::f16::from_bits(bits).to_f32())
    }
    #[inline(always)]
    unsafe fn load_bf16(self, from: *const u8) -> [f32; N] {
        // SAFETY: the caller promises 2 N readable bytes.
        let halves = unsafe { from.cast::<[u16; N]>().read_unaligned() };
        halves.map(|bits| f32::from_bits(u32::from(bits) << 16))
    }
    #[inline(always)]
    unsafe fn load_u8(self, from: *const u8) -> [i32; N] {
        // SAFETY: the caller promises N readable bytes.
        unsafe { from.cast::<[u8; N]>().read_unaligned() }.map(i32::from)
    }
    #[inline(always)]
    unsafe fn load_i8(self, from: *const u8) -> [i32; N] {
        // SAFETY: the caller promises N readable bytes.
        unsafe { from.cast::<[i8; N]>().read_unaligned() }.map(i32::from)
    }

    #[inline(always)]
    fn splat(self, v: f32) -> [f32; N] {
        [v; N]
    }
    #[inline(always)]
    fn add(self, a: [f32; N], b: [f32; N]) -> [f32; N] {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: [f32; N], b: [f32; N]) -> [f32; N] {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: [f32; N], b: [f32; N]) -> [f32; N] {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: [f32; N], b: [f32; N]) -> [f32; N] {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn fma(self, a: [f32; N], b: [f32; N], c: [f32; N]) -> [f32; N] {
        std::array::from_fn(|i| multiply_add(a[i], b[i], c[i]))
    }
    #[inline(always)]
    fn max(self, a: [f32; N], b: [f32; N]) -> [f32; N] {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn min(self, a: [f32; N], b: [f32; N]) -> [f32; N] {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn select_less(self, a: [f32; N], b: [f32; N], yes: [f32; N], no: [f32; N]) -> [f32; N] {
        std::array::from_fn(|i| if a[i] < b[i] { yes[i] } else { no[i] })
    }
    #[inline(always)]
    fn sum(self, mut v: [f32; N]) -> f32 {
        let mut width = N / 2;
        while width > 0 {
            for i in 0..width {
                v[i] += v[i + width];
            }
            width /= 2;
        }
        v[0]
    }
    #[inline(always)]
    fn largest(self, v: [f32; N]) -> f32 {
        v.into_iter().fold(f32::NEG_INFINITY, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn splat_int(self, v: i32) -> [i32; N] {
        [v; N]
    }
    #[inline(always)]
    fn add_int(self, a: [i32; N], b: [i32; N]) -> [i32; N] {
        zip(a, b, i32::wrapping_add)
    }
    #[inline(always)]
    fn and(self, a: [i32; N], b: [i32; N]) -> [i32; N] {
        zip(a, b, |a, b| a & b)
    }
    #[inline(always)]
    fn or(self, a: [i32; N], b: [i32; N]) -> [i32; N] {
        zip(a, b, |a, b| a | b)
    }
    #[inline(always)]
    fn shift_left<const BITS: u32>(self, v: [i32; N]) -> [i32; N] {
        v.map(|v| v << BITS)
    }
    #[inline(always)]
    fn shift_right<const BITS: u32>(self, v: [i32; N]) -> [i32; N] {
        v.map(|v| (v.cast_unsigned() >> BITS).cast_signed())
    }
    #[inline(always)]
    fn to_float(self, v: [i32; N]) -> [f32; N] {
        v.map(|v| v as f32)
    }
    #[inline(always)]
    fn round_to_int(self, v: [f32; N]) -> [i32; N] {
        // Adding 1.5 · 2^23 leaves no room for a fraction, so the addition itself rounds to nearest even.
        // Exact for |v| < 2^22, which covers every use here, and far cheaper than a library call.
        const SHIFT: f32 = 12_582_912.0;
        v.map(|v| ((v + SHIFT) - SHIFT) as i32)
    }
    #[inline(always)]
    fn float_from_bits(self, v: [i32; N]) -> [f32; N] {
        v.map(|v| f32::from_bits(v.cast_unsigned()))
    }
    #[inline(always)]
    unsafe fn load_int(self, from: *const i8) -> [i32; N] {
        // SAFETY: the caller promises 4 N readable bytes.
        unsafe { from.cast::<[i32; N]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store_u8(self, to: *mut u8, v: [i32; N]) {
        // SAFETY: the caller promises N writable bytes.
        unsafe { to.cast::<[u8; N]>().write_unaligned(v.map(|v| v as u8)) }
    }
    #[inline(always)]
    fn dot_bytes(self, sum: [i32; N], a: [i32; N], b: [i32; N]) -> [i32; N] {
        std::array::from_fn(|i| {
            let (a, b) = (a[i].to_le_bytes(), b[i].to_le_bytes());
            let product = |j: usize| i32::from(a[j]) * i32::from(b[j].cast_signed());
            sum[i] + (product(0) + product(1)) + (product(2) + product(3))
        })
    }
    #[inline(always)]
    fn dot_short(self, sum: [i32; N], a: [i32; N], b: [i32; N]) -> [i32; N] {
        self.dot_bytes(sum, a, b)
    }
    #[inline(always)]
    fn widen(self, sum: [i32; N]) -> [i32; N] {
        sum
    }
    #[inline(always)]
    fn dot_signed(self, sum: [i32; N], a: [i32; N], b: [i32; N]) -> [i32; N] {
        std::array::from_fn(|i| {
            let (a, b) = (a[i].to_le_bytes(), b[i].to_le_bytes());
            let product = |j: usize| i32::from(a[j].cast_signed()) * i32::from(b[j].cast_signed());
            sum[i] + (product(0) + product(1)) + (product(2) + product(3))
        })
    }

    #[inline(always)]
    unsafe fn transpose_8x8(
        self,
        to: *mut f32,
        to_stride: usize,
        from: *const f32,
        from_stride: usize,
    ) {
        for row in 0..8 {
            for col in 0..8 {
                // SAFETY: the caller promises the 64 elements on both sides.
                unsafe {
                    let value = from.add(row * from_stride + col).read_unaligned();
                    to.add(col * to_stride + row).write_unaligned(value);
                }
            }
        }
    }
}
