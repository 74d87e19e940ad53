//! The vector operations that the fast kernels are written in, and their implementations.
//!
//! A value of a `Lanes` type is the proof that its instruction set may be used, so arithmetic is safe; only loads
//! and stores, which take pointers, are not. `avx512` repeats `avx2` line by line with wider intrinsics; `array`
//! is the portable version, and with 16 lanes also stands in for AVX-512 in tests.

pub(crate) mod array;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;

/// `N` f32 values or `N` i32 values at a time. Pointers need no alignment.
pub(crate) trait Lanes: Copy {
    const N: usize;
    type F: Copy;
    type I: Copy;

    /// Asks for the cache line that holds this address, which need not exist.
    fn prefetch(self, address: *const u8);
    /// # Safety
    /// `from` points to `N` readable f32.
    unsafe fn load(self, from: *const f32) -> Self::F;
    /// # Safety
    /// `to` points to `N` writable f32.
    unsafe fn store(self, to: *mut f32, v: Self::F);
    /// `N` IEEE half floats.
    /// # Safety
    /// `from` points to `2 N` readable bytes.
    unsafe fn load_f16(self, from: *const u8) -> Self::F;
    /// `N` brain floats.
    /// # Safety
    /// `from` points to `2 N` readable bytes.
    unsafe fn load_bf16(self, from: *const u8) -> Self::F;
    /// `N` bytes, zero-extended.
    /// # Safety
    /// `from` points to `N` readable bytes.
    unsafe fn load_u8(self, from: *const u8) -> Self::I;
    /// `N` bytes, sign-extended.
    /// # Safety
    /// `from` points to `N` readable bytes.
    unsafe fn load_i8(self, from: *const u8) -> Self::I;

    fn splat(self, v: f32) -> Self::F;
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a · b + c`, rounded once where the machine can.
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// The larger of each pair; where either is not a number, `b`.
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    /// The smaller of each pair; where either is not a number, `b`.
    fn min(self, a: Self::F, b: Self::F) -> Self::F;
    /// `yes` in the lanes where `a < b`, elsewhere `no`.
    fn select_less(self, a: Self::F, b: Self::F, yes: Self::F, no: Self::F) -> Self::F;
    /// The sum over lanes, as a balanced tree.
    fn sum(self, v: Self::F) -> f32;
    /// The largest lane.
    fn largest(self, v: Self::F) -> f32;

    fn splat_int(self, v: i32) -> Self::I;
    fn add_int(self, a: Self::I, b: Self::I) -> Self::I;
    fn and(self, a: Self::I, b: Self::I) -> Self::I;
    fn or(self, a: Self::I, b: Self::I) -> Self::I;
    fn shift_left<const BITS: u32>(self, v: Self::I) -> Self::I;
    /// Fills with zeros.
    fn shift_right<const BITS: u32>(self, v: Self::I) -> Self::I;
    /// The same by `bits` below 32.
    fn shift_right_by(self, v: Self::I, bits: u32) -> Self::I;
    fn to_float(self, v: Self::I) -> Self::F;
    /// To the nearest integer, ties to even; the value must fit.
    fn round_to_int(self, v: Self::F) -> Self::I;
    /// The same bits, read as f32.
    fn float_from_bits(self, v: Self::I) -> Self::F;
    /// `v · 2^n` for whole n from −126 to 128; for other n whatever comes of it.
    #[inline(always)]
    fn times_power_of_two(self, v: Self::F, n: Self::F) -> Self::F {
        // n = 128 does not fit one power of two, so half of 2^n is applied as a factor and half as a doubling.
        let exponent = self.add_int(self.round_to_int(n), self.splat_int(126));
        let half = self.mul(v, self.float_from_bits(self.shift_left::<23>(exponent)));
        self.add(half, half)
    }

    /// `4 N` bytes, taken as N i32.
    /// # Safety
    /// `from` points to `4 N` readable bytes.
    unsafe fn load_int(self, from: *const i8) -> Self::I;
    /// The same `4 N` bytes, written.
    /// # Safety
    /// `to` points to `4 N` writable bytes.
    unsafe fn store_int(self, to: *mut u8, v: Self::I);
    /// Byte i is 16 where bit i is set, else 0.
    /// # Safety
    /// `from` points to `N / 2` readable bytes.
    unsafe fn load_bits_as_16(self, from: *const u8) -> Self::I;
    /// Byte by byte, wrapping.
    fn add_bytes(self, a: Self::I, b: Self::I) -> Self::I;
    /// The low bytes of the N values.
    /// # Safety
    /// `to` points to `N` writable bytes; the values lie in 0 … 255.
    unsafe fn store_u8(self, to: *mut u8, v: Self::I);
    /// sum + the four products of the unsigned bytes of `a` with the signed bytes of `b`, in each lane. Exact while
    /// two neighbouring products together fit 16 bits with sign.
    fn dot_bytes(self, sum: Self::I, a: Self::I, b: Self::I) -> Self::I;

    /// The same into sums of 16 bits where the machine has no wider ones; [`Lanes::widen`] makes 32 bits of them.
    /// Exact while all that meet in 16 bits, two products per step, fit them with sign.
    fn dot_short(self, sum: Self::I, a: Self::I, b: Self::I) -> Self::I;
    /// Sums of [`Lanes::dot_short`] as those of [`Lanes::dot_bytes`].
    fn widen(self, sum: Self::I) -> Self::I;
    /// sum + the four products of signed bytes, in each lane. Exact for a in −128 … 127 and b in −127 … 127.
    fn dot_signed(self, sum: Self::I, a: Self::I, b: Self::I) -> Self::I;

    /// Transposes 8 rows of 8 f32: `to[c · to_stride + r] = from[r · from_stride + c]`. Only 8-lane types have it.
    /// # Safety
    /// Both pointers reach the 64 elements that the strides address.
    unsafe fn transpose_8x8(
        self,
        to: *mut f32,
        to_stride: usize,
        from: *const f32,
        from_stride: usize,
    );
}

/// What products with stored blocks need beyond [`Lanes`]: 8 lanes of f32 beside vectors of 32 bytes.
pub(crate) trait Lanes8: Lanes {
    /// Eight pairs of IEEE half floats, each pair in one word with its first in the lower half: all first ones, then
    /// all second ones.
    fn half_pairs(self, pairs: [u32; 8]) -> (Self::F, Self::F);
    /// Lanes 0, 2, 4, 6, 1, 3, 5, 7.
    fn evens_then_odds(self, v: Self::F) -> Self::F;
    /// Four f32, twice.
    /// # Safety
    /// `from` points to 4 readable f32.
    unsafe fn load_four_twice(self, from: *const f32) -> Self::F;
    /// The low halves of 16 bytes, then their high halves.
    /// # Safety
    /// `from` points to 16 readable bytes.
    unsafe fn load_nibbles(self, from: *const u8) -> Self::I;
    /// Byte i is 255 where bit i is set, else 0.
    fn spread_bits(self, bits: u32) -> Self::I;
    /// Word c of row r becomes word r of row c.
    fn transpose_words(self, rows: [Self::I; 8]) -> [Self::I; 8];
    /// The products of the unsigned bytes of `a` with the signed bytes of `b`, in pairs: sixteen sums of 16 bits.
    fn dot_pairs(self, a: Self::I, b: Self::I) -> Self::I;
    /// The same with both signed, for a in −128 … 127 and b in −127 … 127.
    fn dot_signed_pairs(self, a: Self::I, b: Self::I) -> Self::I;
    /// The sum of the eight words of 16 bits in each half of each vector: lower halves in lanes 0 … 3, upper ones in
    /// lanes 4 … 7. Exact while four neighbours together fit 16 bits with sign.
    fn short_half_sums(self, v: [Self::I; 4]) -> Self::I;
    /// The sum of the four lanes in each half of each vector, in the same places.
    fn half_sums(self, v: [Self::I; 4]) -> Self::I;
    /// Two results of the above to the sums of whole vectors, in their order.
    fn unite_halves(self, a: Self::I, b: Self::I) -> Self::I;
    /// Rows of eight f32 at distance `stride` become columns.
    /// # Safety
    /// `from` reaches eight rows of eight values.
    unsafe fn load_columns(self, from: *const f32, stride: usize) -> [Self::F; 8];
}

/// What products of few rows with stored blocks need beyond [`Lanes`]: 16 lanes of f32 beside vectors of 64 bytes, whose
/// products of bytes are exact for every unsigned byte.
pub(crate) trait Lanes16: Lanes {
    /// The low halves of 16 bytes at `a`, then their high halves; then those at `b`.
    /// # Safety
    /// Both point to 16 readable bytes.
    unsafe fn load_nibble_pair(self, a: *const u8, b: *const u8) -> Self::I;
    /// 32 bytes at `a`, then those at `b`.
    /// # Safety
    /// Both point to 32 readable bytes.
    unsafe fn load_pair(self, a: *const u8, b: *const u8) -> Self::I;
    /// 32 bytes, twice.
    /// # Safety
    /// `from` points to 32 readable bytes.
    unsafe fn load_int_twice(self, from: *const i8) -> Self::I;
    /// Eight f32, twice.
    /// # Safety
    /// `from` points to 8 readable f32.
    unsafe fn load_eight_twice(self, from: *const f32) -> Self::F;
    /// Four f32, four times.
    /// # Safety
    /// `from` points to 4 readable f32.
    unsafe fn load_four_times(self, from: *const f32) -> Self::F;
    /// The words at `base` + each of the offsets, which are bytes.
    /// # Safety
    /// Each of these places has 4 readable bytes.
    unsafe fn gather_words(self, base: *const u8, offsets: Self::I) -> Self::I;
    /// IEEE half floats: the lower halves of the words, then the upper ones.
    fn half_floats(self, words: Self::I) -> (Self::F, Self::F);
    /// One value in eight lanes, the other in the other eight.
    fn splat_pair(self, a: f32, b: f32) -> Self::F;
    fn sub_int(self, a: Self::I, b: Self::I) -> Self::I;
    fn xor(self, a: Self::I, b: Self::I) -> Self::I;
    /// Adds the bytes of `more`, wrapping, where the byte's bit of `which` is set.
    fn add_bytes_where(self, v: Self::I, which: u64, more: Self::I) -> Self::I;
    /// The sum of the four lanes in each quarter of each vector: those of quarter i in lanes 4 i … 4 i + 3.
    fn quarter_sums(self, v: [Self::I; 4]) -> Self::I;
    /// Two results of the above, of vectors 0 … 3 and 4 … 7, to the sums of halves: lower halves in lanes 0 … 7, upper
    /// ones in lanes 8 … 15.
    fn unite_quarters(self, a: Self::I, b: Self::I) -> Self::I;
    /// Lanes 0, 2, 4, 6, 1, 3, 5, 7 of each half.
    fn evens_then_odds_of_halves(self, v: Self::F) -> Self::F;
    /// The sums of both halves, as a type of 8 lanes adds them.
    fn sum_halves(self, v: Self::F) -> [f32; 2];
}

/// The first `n` of N values; zeros for those that are missing.
///
/// # Safety
/// `from` points to `n` values.
#[inline(always)]
pub(crate) unsafe fn load_part<L: Lanes>(lanes: L, from: *const f32, n: usize) -> L::F {
    // SAFETY: the caller's promise; the array takes a vector.
    unsafe {
        if n >= L::N {
            return lanes.load(from);
        }
        let mut all = [0.0f32; 16];
        all.as_mut_ptr().copy_from_nonoverlapping(from, n);
        lanes.load(all.as_ptr())
    }
}

/// Stores the first `n` of N values.
///
/// # Safety
/// `to` points to `n` values.
#[inline(always)]
pub(crate) unsafe fn store_part<L: Lanes>(lanes: L, to: *mut f32, n: usize, values: L::F) {
    // SAFETY: as in `load_part`.
    unsafe {
        if n >= L::N {
            return lanes.store(to, values);
        }
        let mut all = [0.0f32; 16];
        lanes.store(all.as_mut_ptr(), values);
        to.copy_from_nonoverlapping(all.as_ptr(), n);
    }
}
