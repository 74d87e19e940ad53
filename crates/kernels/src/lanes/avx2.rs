//! AVX2 with FMA and F16C: 8 lanes.

use std::arch::x86_64::*;

use super::{Lanes, Lanes8};
use crate::isa::{Kernel, Kernel8};

/// Only `run` makes one, where the features are enabled.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

/// Runs a kernel compiled with AVX2, FMA and F16C.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx2(()))
}

/// Runs a kernel written for 8 lanes.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn run_8<K: Kernel8>(kernel: K) -> K::Output {
    kernel.run(Avx2(()))
}

/// An intrinsic whose only demand is the instruction set.
macro_rules! proven {
    ($e:expr) => {
        // SAFETY: an `Avx2` exists only inside `run`, which the machine's features were checked for.
        unsafe { $e }
    };
}

impl Lanes for Avx2 {
    const N: usize = 8;
    type F = __m256;
    type I = __m256i;

    #[inline(always)]
    fn prefetch(self, address: *const u8) {
        proven!(_mm_prefetch::<_MM_HINT_T0>(address.cast()));
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        // SAFETY: the caller promises the memory, the token the instruction set.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: __m256) {
        // SAFETY: as in `load`.
        unsafe { _mm256_storeu_ps(to, v) }
    }
    #[inline(always)]
    unsafe fn load_f16(self, from: *const u8) -> __m256 {
        // SAFETY: as in `load`.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
    }
    #[inline(always)]
    unsafe fn load_bf16(self, from: *const u8) -> __m256 {
        // SAFETY: as in `load`.
        let wide = unsafe { _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast())) };
        proven!(_mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide)))
    }
    #[inline(always)]
    unsafe fn load_u8(self, from: *const u8) -> __m256i {
        // SAFETY: as in `load`.
        unsafe { _mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast())) }
    }
    #[inline(always)]
    unsafe fn load_i8(self, from: *const u8) -> __m256i {
        // SAFETY: as in `load`.
        unsafe { _mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast())) }
    }

    #[inline(always)]
    fn splat(self, v: f32) -> __m256 {
        proven!(_mm256_set1_ps(v))
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        proven!(_mm256_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        proven!(_mm256_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        proven!(_mm256_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        proven!(_mm256_div_ps(a, b))
    }
    #[inline(always)]
    fn fma(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        proven!(_mm256_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        proven!(_mm256_max_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        proven!(_mm256_min_ps(a, b))
    }
    #[inline(always)]
    fn select_less(self, a: __m256, b: __m256, yes: __m256, no: __m256) -> __m256 {
        proven!(_mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_LT_OQ>(a, b)))
    }
    #[inline(always)]
    fn sum(self, v: __m256) -> f32 {
        proven!({
            let half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)))
        })
    }
    #[inline(always)]
    fn largest(self, v: __m256) -> f32 {
        proven!({
            let half = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let quarter = _mm_max_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_max_ss(quarter, _mm_movehdup_ps(quarter)))
        })
    }

    #[inline(always)]
    fn splat_int(self, v: i32) -> __m256i {
        proven!(_mm256_set1_epi32(v))
    }
    #[inline(always)]
    fn add_int(self, a: __m256i, b: __m256i) -> __m256i {
        proven!(_mm256_add_epi32(a, b))
    }
    #[inline(always)]
    fn and(self, a: __m256i, b: __m256i) -> __m256i {
        proven!(_mm256_and_si256(a, b))
    }
    #[inline(always)]
    fn or(self, a: __m256i, b: __m256i) -> __m256i {
        proven!(_mm256_or_si256(a, b))
    }
    #[inline(always)]
    fn shift_left<const BITS: u32>(self, v: __m256i) -> __m256i {
        proven!(_mm256_sll_epi32(v, _mm_cvtsi32_si128(BITS.cast_signed())))
    }
    #[inline(always)]
    fn shift_right<const BITS: u32>(self, v: __m256i) -> __m256i {
        proven!(_mm256_srl_epi32(v, _mm_cvtsi32_si128(BITS.cast_signed())))
    }
    #[inline(always)]
    fn shift_right_by(self, v: __m256i, bits: u32) -> __m256i {
        proven!(_mm256_srl_epi32(v, _mm_cvtsi32_si128(bits.cast_signed())))
    }
    #[inline(always)]
    fn to_float(self, v: __m256i) -> __m256 {
        proven!(_mm256_cvtepi32_ps(v))
    }
    #[inline(always)]
    fn round_to_int(self, v: __m256) -> __m256i {
        proven!(_mm256_cvtps_epi32(v))
    }
    #[inline(always)]
    fn float_from_bits(self, v: __m256i) -> __m256 {
        proven!(_mm256_castsi256_ps(v))
    }
    #[inline(always)]
    unsafe fn load_int(self, from: *const i8) -> __m256i {
        // SAFETY: as in `load`.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }
    #[inline(always)]
    unsafe fn store_int(self, to: *mut u8, v: __m256i) {
        // SAFETY: the caller promises the memory, the token the instruction set.
        unsafe { _mm256_storeu_si256(to.cast(), v) }
    }
    #[inline(always)]
    unsafe fn load_bits_as_16(self, from: *const u8) -> __m256i {
        // SAFETY: as in `load`.
        let bits = unsafe { from.cast::<u32>().read_unaligned() };
        self.and(self.spread_bits(bits), self.splat_int(0x1010_1010))
    }
    #[inline(always)]
    fn add_bytes(self, a: __m256i, b: __m256i) -> __m256i {
        proven!(_mm256_add_epi8(a, b))
    }
    #[inline(always)]
    unsafe fn store_u8(self, to: *mut u8, v: __m256i) {
        // SAFETY: as in `load`.
        unsafe {
            let words =
                _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v));
            _mm_storel_epi64(to.cast(), _mm_packus_epi16(words, words));
        }
    }
    #[inline(always)]
    fn dot_bytes(self, sum: __m256i, a: __m256i, b: __m256i) -> __m256i {
        proven!({
            let pairs = _mm256_maddubs_epi16(a, b);
            _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        })
    }
    #[inline(always)]
    fn dot_short(self, sum: __m256i, a: __m256i, b: __m256i) -> __m256i {
        proven!(_mm256_add_epi16(sum, _mm256_maddubs_epi16(a, b)))
    }
    #[inline(always)]
    fn widen(self, sum: __m256i) -> __m256i {
        proven!(_mm256_madd_epi16(sum, _mm256_set1_epi16(1)))
    }
    #[inline(always)]
    fn dot_signed(self, sum: __m256i, a: __m256i, b: __m256i) -> __m256i {
        // |a| · (b with the sign of a): |−128| is 128 as an unsigned byte, and 2 · 128 · 127 fits 16 bits.
        proven!(self.dot_bytes(sum, _mm256_abs_epi8(a), _mm256_sign_epi8(b, a)))
    }

    #[inline(always)]
    unsafe fn transpose_8x8(
        self,
        to: *mut f32,
        to_stride: usize,
        from: *const f32,
        from_stride: usize,
    ) {
        // SAFETY: the caller promises the 64 elements on both sides.
        unsafe {
            for (c, column) in self.load_columns(from, from_stride).into_iter().enumerate() {
                self.store(to.add(c * to_stride), column);
            }
        }
    }
}

impl Lanes8 for Avx2 {
    #[inline(always)]
    fn half_pairs(self, pairs: [u32; 8]) -> (__m256, __m256) {
        let [a, b, c, d, e, f, g, h] = pairs.map(u32::cast_signed);
        proven!({
            let firsts = _mm_set_epi64x(0x0f0e_0b0a_0706_0302, 0x0d0c_0908_0504_0100);
            let low = _mm_shuffle_epi8(_mm_set_epi32(d, c, b, a), firsts);
            let high = _mm_shuffle_epi8(_mm_set_epi32(h, g, f, e), firsts);
            let first = _mm256_cvtph_ps(_mm_unpacklo_epi64(low, high));
            (first, _mm256_cvtph_ps(_mm_unpackhi_epi64(low, high)))
        })
    }
    #[inline(always)]
    fn evens_then_odds(self, v: __m256) -> __m256 {
        proven!(_mm256_permutevar8x32_ps(v, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7)))
    }
    #[inline(always)]
    unsafe fn load_four_twice(self, from: *const f32) -> __m256 {
        // SAFETY: the caller promises the memory, the token the instruction set.
        unsafe { _mm256_broadcast_ps(&from.cast::<__m128>().read_unaligned()) }
    }
    #[inline(always)]
    unsafe fn load_nibbles(self, from: *const u8) -> __m256i {
        // SAFETY: the caller promises the memory, the token the instruction set.
        unsafe {
            let twice = _mm256_broadcastsi128_si256(_mm_loadu_si128(from.cast()));
            let shifted = _mm256_srlv_epi64(twice, _mm256_set_epi64x(4, 4, 0, 0));
            _mm256_and_si256(shifted, _mm256_set1_epi8(15))
        }
    }
    #[inline(always)]
    fn spread_bits(self, bits: u32) -> __m256i {
        proven!({
            let byte_of = _mm256_set_epi64x(
                0x0303_0303_0303_0303,
                0x0202_0202_0202_0202,
                0x0101_0101_0101_0101,
                0,
            );
            let bit_of = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64.cast_signed());
            let bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(bits.cast_signed()), byte_of);
            _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit_of), bit_of)
        })
    }
    #[inline(always)]
    fn transpose_words(self, r: [__m256i; 8]) -> [__m256i; 8] {
        proven!({
            // Pairs of words, then pairs of pairs within each 128-bit half, then halves.
            let mut pairs = [_mm256_setzero_si256(); 8];
            for i in 0..4 {
                pairs[2 * i] = _mm256_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
                pairs[2 * i + 1] = _mm256_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
            }
            let mut fours = [_mm256_setzero_si256(); 8];
            for half in 0..2 {
                let p = &pairs[4 * half..4 * half + 4];
                fours[4 * half] = _mm256_unpacklo_epi64(p[0], p[2]);
                fours[4 * half + 1] = _mm256_unpackhi_epi64(p[0], p[2]);
                fours[4 * half + 2] = _mm256_unpacklo_epi64(p[1], p[3]);
                fours[4 * half + 3] = _mm256_unpackhi_epi64(p[1], p[3]);
            }
            let mut out = [_mm256_setzero_si256(); 8];
            for i in 0..4 {
                out[i] = _mm256_permute2x128_si256::<0x20>(fours[i], fours[i + 4]);
                out[i + 4] = _mm256_permute2x128_si256::<0x31>(fours[i], fours[i + 4]);
            }
            out
        })
    }
    #[inline(always)]
    fn dot_pairs(self, a: __m256i, b: __m256i) -> __m256i {
        proven!(_mm256_maddubs_epi16(a, b))
    }
    #[inline(always)]
    fn dot_signed_pairs(self, a: __m256i, b: __m256i) -> __m256i {
        // As in `dot_signed`.
        proven!(_mm256_maddubs_epi16(_mm256_abs_epi8(a), _mm256_sign_epi8(b, a)))
    }
    #[inline(always)]
    fn short_half_sums(self, [a, b, c, d]: [__m256i; 4]) -> __m256i {
        proven!({
            // Adding neighbours gives 32 bits; packing makes 16 of them again, twice as many vectors in one.
            let ones = _mm256_set1_epi16(1);
            let a_b = _mm256_packs_epi32(_mm256_madd_epi16(a, ones), _mm256_madd_epi16(b, ones));
            let c_d = _mm256_packs_epi32(_mm256_madd_epi16(c, ones), _mm256_madd_epi16(d, ones));
            let all =
                _mm256_packs_epi32(_mm256_madd_epi16(a_b, ones), _mm256_madd_epi16(c_d, ones));
            _mm256_madd_epi16(all, ones)
        })
    }
    #[inline(always)]
    fn half_sums(self, [a, b, c, d]: [__m256i; 4]) -> __m256i {
        proven!(_mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d)))
    }
    #[inline(always)]
    fn unite_halves(self, a: __m256i, b: __m256i) -> __m256i {
        proven!(_mm256_add_epi32(
            _mm256_permute2x128_si256::<0x20>(a, b),
            _mm256_permute2x128_si256::<0x31>(a, b)
        ))
    }
    #[inline(always)]
    unsafe fn load_columns(self, from: *const f32, stride: usize) -> [__m256; 8] {
        // SAFETY: the caller promises the 64 values, the token the instruction set.
        unsafe {
            // Rows r and r + 4 share a register, so the exchanges below stay inside 128-bit halves.
            let mut columns = [_mm256_setzero_ps(); 8];
            for half in 0..2 {
                let mut rows = [_mm256_setzero_ps(); 4];
                for r in 0..4 {
                    let top = _mm_loadu_ps(from.add(r * stride + 4 * half));
                    let bottom = _mm_loadu_ps(from.add((r + 4) * stride + 4 * half));
                    rows[r] = _mm256_set_m128(bottom, top);
                }
                let low01 = _mm256_unpacklo_ps(rows[0], rows[1]);
                let high01 = _mm256_unpackhi_ps(rows[0], rows[1]);
                let low23 = _mm256_unpacklo_ps(rows[2], rows[3]);
                let high23 = _mm256_unpackhi_ps(rows[2], rows[3]);
                columns[4 * half] = _mm256_shuffle_ps::<0b01_00_01_00>(low01, low23);
                columns[4 * half + 1] = _mm256_shuffle_ps::<0b11_10_11_10>(low01, low23);
                columns[4 * half + 2] = _mm256_shuffle_ps::<0b01_00_01_00>(high01, high23);
                columns[4 * half + 3] = _mm256_shuffle_ps::<0b11_10_11_10>(high01, high23);
            }
            columns
        }
    }
}
