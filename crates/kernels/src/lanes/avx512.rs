//! AVX-512 (F, BW, VL, DQ): 16 lanes. The same methods as `avx2` with wider intrinsics; the algorithms above them
//! are tested with 16 lanes on every machine, these few lines only on machines that have AVX-512.

use std::arch::x86_64::*;

use super::{Lanes, Lanes16};
use crate::isa::{Kernel, Kernel16};

/// Only `run`, `run_vnni` and `run_16` make one, where the features are enabled.
#[derive(Clone, Copy)]
pub(crate) struct Avx512<const VNNI: bool>(());

/// Runs a kernel compiled with AVX-512.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")]
pub(crate) fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx512::<false>(()))
}

/// Runs a kernel compiled with AVX-512 and its instructions for products of bytes.
#[target_feature(enable = "avx512vnni,avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")]
pub(crate) fn run_vnni<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx512::<true>(()))
}

/// The same for a kernel that needs 16 lanes and those instructions.
#[target_feature(enable = "avx512vnni,avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")]
pub(crate) fn run_16<K: Kernel16>(kernel: K) -> K::Output {
    kernel.run(Avx512::<true>(()))
}

/// An intrinsic whose only demand is the instruction set.
macro_rules! proven {
    ($e:expr) => {
        // SAFETY: an `Avx512` exists only inside the functions above, which the machine's features were checked for.
        unsafe { $e }
    };
}

impl<const VNNI: bool> Lanes for Avx512<VNNI> {
    const N: usize = 16;
    type F = __m512;
    type I = __m512i;

    #[inline(always)]
    fn prefetch(self, address: *const u8) {
        proven!(_mm_prefetch::<_MM_HINT_T0>(address.cast()));
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        // SAFETY: the caller promises the memory, the token the instruction set.
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: __m512) {
        // SAFETY: as in `load`.
        unsafe { _mm512_storeu_ps(to, v) }
    }
    #[inline(always)]
    unsafe fn load_f16(self, from: *const u8) -> __m512 {
        // SAFETY: as in `load`.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
    }
    #[inline(always)]
    unsafe fn load_bf16(self, from: *const u8) -> __m512 {
        // SAFETY: as in `load`.
        let wide = unsafe { _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast())) };
        proven!(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide)))
    }
    #[inline(always)]
    unsafe fn load_u8(self, from: *const u8) -> __m512i {
        // SAFETY: as in `load`.
        unsafe { _mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast())) }
    }
    #[inline(always)]
    unsafe fn load_i8(self, from: *const u8) -> __m512i {
        // SAFETY: as in `load`.
        unsafe { _mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast())) }
    }

    #[inline(always)]
    fn splat(self, v: f32) -> __m512 {
        proven!(_mm512_set1_ps(v))
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        proven!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        proven!(_mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        proven!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        proven!(_mm512_div_ps(a, b))
    }
    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        proven!(_mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        proven!(_mm512_max_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        proven!(_mm512_min_ps(a, b))
    }
    #[inline(always)]
    fn select_less(self, a: __m512, b: __m512, yes: __m512, no: __m512) -> __m512 {
        proven!(_mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), no, yes))
    }
    #[inline(always)]
    fn sum(self, v: __m512) -> f32 {
        // Spelled out rather than `_mm512_reduce_add_ps`, whose order of summation is the compiler's choice.
        proven!({
            let half = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps::<1>(v));
            let quarter =
                _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps::<1>(half));
            let eighth = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
            _mm_cvtss_f32(_mm_add_ss(eighth, _mm_movehdup_ps(eighth)))
        })
    }
    #[inline(always)]
    fn largest(self, v: __m512) -> f32 {
        proven!(_mm512_reduce_max_ps(v))
    }

    #[inline(always)]
    fn splat_int(self, v: i32) -> __m512i {
        proven!(_mm512_set1_epi32(v))
    }
    #[inline(always)]
    fn add_int(self, a: __m512i, b: __m512i) -> __m512i {
        proven!(_mm512_add_epi32(a, b))
    }
    #[inline(always)]
    fn and(self, a: __m512i, b: __m512i) -> __m512i {
        proven!(_mm512_and_si512(a, b))
    }
    #[inline(always)]
    fn or(self, a: __m512i, b: __m512i) -> __m512i {
        proven!(_mm512_or_si512(a, b))
    }
    #[inline(always)]
    fn shift_left<const BITS: u32>(self, v: __m512i) -> __m512i {
        proven!(_mm512_slli_epi32::<BITS>(v))
    }
    #[inline(always)]
    fn shift_right<const BITS: u32>(self, v: __m512i) -> __m512i {
        proven!(_mm512_srli_epi32::<BITS>(v))
    }
    #[inline(always)]
    fn shift_right_by(self, v: __m512i, bits: u32) -> __m512i {
        proven!(_mm512_srl_epi32(v, _mm_cvtsi32_si128(bits.cast_signed())))
    }
    #[inline(always)]
    fn to_float(self, v: __m512i) -> __m512 {
        proven!(_mm512_cvtepi32_ps(v))
    }
    #[inline(always)]
    fn round_to_int(self, v: __m512) -> __m512i {
        proven!(_mm512_cvtps_epi32(v))
    }
    #[inline(always)]
    fn float_from_bits(self, v: __m512i) -> __m512 {
        proven!(_mm512_castsi512_ps(v))
    }
    #[inline(always)]
    fn times_power_of_two(self, v: __m512, n: __m512) -> __m512 {
        proven!(_mm512_scalef_ps(v, n))
    }
    #[inline(always)]
    unsafe fn load_int(self, from: *const i8) -> __m512i {
        // SAFETY: as in `load`.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }
    #[inline(always)]
    unsafe fn store_int(self, to: *mut u8, v: __m512i) {
        // SAFETY: as in `load`.
        unsafe { _mm512_storeu_si512(to.cast(), v) }
    }
    #[inline(always)]
    unsafe fn load_bits_as_16(self, from: *const u8) -> __m512i {
        // SAFETY: as in `load`.
        unsafe { _mm512_maskz_set1_epi8(from.cast::<u64>().read_unaligned(), 16) }
    }
    #[inline(always)]
    fn add_bytes(self, a: __m512i, b: __m512i) -> __m512i {
        proven!(_mm512_add_epi8(a, b))
    }
    #[inline(always)]
    unsafe fn store_u8(self, to: *mut u8, v: __m512i) {
        // SAFETY: as in `load`.
        unsafe { _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(v)) };
    }
    #[inline(always)]
    fn dot_bytes(self, sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        if VNNI {
            proven!(_mm512_dpbusd_epi32(sum, a, b))
        } else {
            proven!({
                let pairs = _mm512_maddubs_epi16(a, b);
                _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)))
            })
        }
    }
    #[inline(always)]
    fn dot_short(self, sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        if VNNI {
            self.dot_bytes(sum, a, b)
        } else {
            proven!(_mm512_add_epi16(sum, _mm512_maddubs_epi16(a, b)))
        }
    }
    #[inline(always)]
    fn widen(self, sum: __m512i) -> __m512i {
        if VNNI { sum } else { proven!(_mm512_madd_epi16(sum, _mm512_set1_epi16(1))) }
    }
    #[inline(always)]
    fn dot_signed(self, sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        // |a| · (b with the sign of a); where a is 0 the sign does not matter.
        proven!({
            let negative = _mm512_movepi8_mask(a);
            let signed = _mm512_mask_sub_epi8(b, negative, _mm512_setzero_si512(), b);
            self.dot_bytes(sum, _mm512_abs_epi8(a), signed)
        })
    }

    #[inline(always)]
    unsafe fn transpose_8x8(self, _: *mut f32, _: usize, _: *const f32, _: usize) {
        unreachable!("rearrangements run with 8 lanes (Isa::dispatch_8)");
    }
}

impl Lanes16 for Avx512<true> {
    #[inline(always)]
    unsafe fn load_nibble_pair(self, a: *const u8, b: *const u8) -> __m512i {
        // SAFETY: the caller promises the memory, the token the instruction set.
        unsafe {
            let a = _mm512_broadcast_i32x4(_mm_loadu_si128(a.cast()));
            let both = _mm512_mask_broadcast_i32x4(a, 0xff00, _mm_loadu_si128(b.cast()));
            let shifted = _mm512_srlv_epi64(both, _mm512_set_epi64(4, 4, 0, 0, 4, 4, 0, 0));
            _mm512_and_si512(shifted, _mm512_set1_epi8(15))
        }
    }
    #[inline(always)]
    unsafe fn load_pair(self, a: *const u8, b: *const u8) -> __m512i {
        // SAFETY: as above.
        unsafe {
            let a = _mm512_castsi256_si512(_mm256_loadu_si256(a.cast()));
            _mm512_inserti64x4::<1>(a, _mm256_loadu_si256(b.cast()))
        }
    }
    #[inline(always)]
    unsafe fn load_int_twice(self, from: *const i8) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_broadcast_i64x4(_mm256_loadu_si256(from.cast())) }
    }
    #[inline(always)]
    unsafe fn load_eight_twice(self, from: *const f32) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_broadcast_f32x8(_mm256_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn load_four_times(self, from: *const f32) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_broadcast_f32x4(_mm_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn gather_words(self, base: *const u8, offsets: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_i32gather_epi32::<1>(offsets, base.cast()) }
    }
    #[inline(always)]
    fn half_floats(self, words: __m512i) -> (__m512, __m512) {
        proven!({
            let upper = _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(words));
            (_mm512_cvtph_ps(_mm512_cvtepi32_epi16(words)), _mm512_cvtph_ps(upper))
        })
    }
    #[inline(always)]
    fn splat_pair(self, a: f32, b: f32) -> __m512 {
        proven!(_mm512_mask_broadcastss_ps(_mm512_set1_ps(a), 0xff00, _mm_set_ss(b)))
    }
    #[inline(always)]
    fn sub_int(self, a: __m512i, b: __m512i) -> __m512i {
        proven!(_mm512_sub_epi32(a, b))
    }
    #[inline(always)]
    fn xor(self, a: __m512i, b: __m512i) -> __m512i {
        proven!(_mm512_xor_si512(a, b))
    }
    #[inline(always)]
    fn add_bytes_where(self, v: __m512i, which: u64, more: __m512i) -> __m512i {
        proven!(_mm512_mask_add_epi8(v, which, v, more))
    }
    #[inline(always)]
    fn quarter_sums(self, [a, b, c, d]: [__m512i; 4]) -> __m512i {
        proven!({
            // Each addition makes one vector of two, with half as many lanes of each.
            let a_b = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
            let c_d = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
            let (low, high) = (_mm512_unpacklo_epi64(a_b, c_d), _mm512_unpackhi_epi64(a_b, c_d));
            _mm512_add_epi32(low, high)
        })
    }
    #[inline(always)]
    fn unite_quarters(self, a: __m512i, b: __m512i) -> __m512i {
        proven!({
            let even = _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0);
            let odd = _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2);
            _mm512_add_epi32(
                _mm512_permutex2var_epi64(a, even, b),
                _mm512_permutex2var_epi64(a, odd, b),
            )
        })
    }
    #[inline(always)]
    fn evens_then_odds_of_halves(self, v: __m512) -> __m512 {
        proven!({
            let order = _mm512_set_epi32(15, 13, 11, 9, 14, 12, 10, 8, 7, 5, 3, 1, 6, 4, 2, 0);
            _mm512_permutexvar_ps(order, v)
        })
    }
    #[inline(always)]
    fn sum_halves(self, v: __m512) -> [f32; 2] {
        proven!({
            let halves = [_mm512_castps512_ps256(v), _mm512_extractf32x8_ps::<1>(v)];
            let mut sums = [0.0; 2];
            for i in 0..2 {
                let quarter = _mm_add_ps(
                    _mm256_castps256_ps128(halves[i]),
                    _mm256_extractf128_ps::<1>(halves[i]),
                );
                let eighth = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
                sums[i] = _mm_cvtss_f32(_mm_add_ss(eighth, _mm_movehdup_ps(eighth)));
            }
            sums
        })
    }
}
