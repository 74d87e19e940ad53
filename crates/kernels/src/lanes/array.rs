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
    fn prefetch(self, _: *const u8) {}
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
    fn shift_right_by(self, v: [i32; N], bits: u32) -> [i32; N] {
        v.map(|v| (v.cast_unsigned() >> bits).cast_signed())
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
    unsafe fn store_int(self, to: *mut u8, v: [i32; N]) {
        // SAFETY: the caller promises 4 N writable bytes.
        unsafe { to.cast::<[i32; N]>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn load_bits_as_16(self, from: *const u8) -> [i32; N] {
        std::array::from_fn(|i| {
            // SAFETY: the caller promises N / 2 readable bytes; four bits are half of one.
            let bits = unsafe { *from.add(i / 2) } >> (i % 2 * 4);
            i32::from_le_bytes(std::array::from_fn(|j| (bits >> j & 1) << 4))
        })
    }
    #[inline(always)]
    fn add_bytes(self, a: [i32; N], b: [i32; N]) -> [i32; N] {
        std::array::from_fn(|i| {
            let (a, b) = (a[i].to_le_bytes(), b[i].to_le_bytes());
            i32::from_le_bytes(std::array::from_fn(|j| a[j].wrapping_add(b[j])))
        })
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

/// Word by word, as the instructions of 64 bytes do it.
#[cfg(test)]
impl super::Lanes16 for Array<16> {
    unsafe fn load_nibble_pair(self, a: *const u8, b: *const u8) -> [i32; 16] {
        // SAFETY: the caller promises 16 bytes at each.
        let bytes = unsafe { [a.cast::<[u8; 16]>().read(), b.cast::<[u8; 16]>().read()] };
        words(std::array::from_fn(|i| bytes[i / 32][i % 16] >> (4 * (i / 16 % 2)) & 15))
    }
    unsafe fn load_pair(self, a: *const u8, b: *const u8) -> [i32; 16] {
        // SAFETY: the caller promises 32 bytes at each.
        let bytes = unsafe { [a.cast::<[u8; 32]>().read(), b.cast::<[u8; 32]>().read()] };
        words(std::array::from_fn(|i| bytes[i / 32][i % 32]))
    }
    unsafe fn load_int_twice(self, from: *const i8) -> [i32; 16] {
        // SAFETY: the caller's promise.
        unsafe { self.load_pair(from.cast(), from.cast()) }
    }
    unsafe fn load_eight_twice(self, from: *const f32) -> [f32; 16] {
        // SAFETY: the caller promises 8 values.
        let eight = unsafe { from.cast::<[f32; 8]>().read_unaligned() };
        std::array::from_fn(|i| eight[i % 8])
    }
    unsafe fn load_four_times(self, from: *const f32) -> [f32; 16] {
        // SAFETY: the caller promises 4 values.
        let four = unsafe { from.cast::<[f32; 4]>().read_unaligned() };
        std::array::from_fn(|i| four[i % 4])
    }
    unsafe fn gather_words(self, base: *const u8, offsets: [i32; 16]) -> [i32; 16] {
        // SAFETY: the caller promises 4 bytes at each place.
        offsets.map(|offset| unsafe { base.offset(offset as isize).cast::<i32>().read_unaligned() })
    }
    fn half_floats(self, words: [i32; 16]) -> ([f32; 16], [f32; 16]) {
        let float = |word: i32, shift: u32| half::f16::from_bits((word >> shift) as u16).to_f32();
        (words.map(|word| float(word, 0)), words.map(|word| float(word, 16)))
    }
    fn splat_pair(self, a: f32, b: f32) -> [f32; 16] {
        std::array::from_fn(|i| if i < 8 { a } else { b })
    }
    fn sub_int(self, a: [i32; 16], b: [i32; 16]) -> [i32; 16] {
        zip(a, b, |a, b| a - b)
    }
    fn xor(self, a: [i32; 16], b: [i32; 16]) -> [i32; 16] {
        zip(a, b, |a, b| a ^ b)
    }
    fn add_bytes_where(self, v: [i32; 16], which: u64, more: [i32; 16]) -> [i32; 16] {
        let (v, more) = (v.map(i32::to_le_bytes), more.map(i32::to_le_bytes));
        words(std::array::from_fn(|i| {
            let more = if which >> i & 1 == 1 { more[i / 4][i % 4] } else { 0 };
            v[i / 4][i % 4].wrapping_add(more)
        }))
    }
    fn quarter_sums(self, v: [[i32; 16]; 4]) -> [i32; 16] {
        std::array::from_fn(|i| v[i % 4][i / 4 * 4..][..4].iter().sum())
    }
    fn unite_quarters(self, a: [i32; 16], b: [i32; 16]) -> [i32; 16] {
        std::array::from_fn(|i| {
            let from = if i % 8 < 4 { a } else { b };
            let first = i / 8 * 8 + i % 4;
            from[first] + from[first + 4]
        })
    }
    fn evens_then_odds_of_halves(self, v: [f32; 16]) -> [f32; 16] {
        std::array::from_fn(|i| v[i / 8 * 8 + i % 4 * 2 + i / 4 % 2])
    }
    fn sum_halves(self, v: [f32; 16]) -> [f32; 2] {
        [0, 8].map(|at| Array::<8>.sum(std::array::from_fn(|i| v[at + i])))
    }
}

#[cfg(test)]
fn words(bytes: [u8; 64]) -> [i32; 16] {
    std::array::from_fn(|i| {
        i32::from_le_bytes([bytes[4 * i], bytes[4 * i + 1], bytes[4 * i + 2], bytes[4 * i + 3]])
    })
}
