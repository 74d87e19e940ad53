//! Which instruction set to use: a value that one must hold, and that only a check of the machine can make.

use std::fmt;
use std::sync::OnceLock;

use crate::lanes::{Lanes, Lanes8, Lanes16, array::Array};
#[cfg(target_arch = "x86_64")]
use crate::tiles::Tiles;

/// Proof that the running machine has an instruction set. There is no way to make one for a set it lacks, so a
/// function that takes an `Isa` may use it without asking again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Isa {
    level: Level,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Level {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// With instructions for products of bytes (VNNI) and of tiles (AMX), where the machine has them.
    #[cfg(target_arch = "x86_64")]
    Avx512 {
        vnni: bool,
        tiles: Option<Tiles>,
    },
    /// The 16-lane algorithms on plain arrays, so that they are tested on machines without AVX-512.
    #[cfg(test)]
    Emulated512,
}

impl Isa {
    /// The best instruction set of this machine. The environment variable `POLYMATH_ISA` (`scalar`, `avx2`,
    /// `avx512` or `amx`) can lower the choice and never raise it; other values are ignored. Looked up once per process.
    pub fn detect() -> Isa {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| {
            let available = Isa::available();
            let best = available[available.len() - 1];
            let Ok(wanted) = std::env::var("POLYMATH_ISA") else { return best };
            available.into_iter().find(|isa| isa.name() == wanted).unwrap_or(best)
        })
    }

    /// All instruction sets of this machine that the crate has code for, slowest first.
    pub fn available() -> Vec<Isa> {
        #[allow(unused_mut)]
        let mut found = vec![Isa::scalar()];
        #[cfg(target_arch = "x86_64")]
        {
            let has_avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c");
            if has_avx2 {
                found.push(Isa { level: Level::Avx2 });
            }
            let has_avx512 = has_avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq");
            if has_avx512 {
                let vnni = is_x86_feature_detected!("avx512vnni");
                found.push(Isa { level: Level::Avx512 { vnni, tiles: None } });
                if let Some(tiles) = Tiles::detect().filter(|_| vnni) {
                    found.push(Isa { level: Level::Avx512 { vnni, tiles: Some(tiles) } });
                }
            }
        }
        found
    }

    /// The portable path, which every machine has.
    pub fn scalar() -> Isa {
        Isa { level: Level::Scalar }
    }

    /// The 16-lane algorithms on plain arrays.
    #[cfg(test)]
    pub(crate) fn emulated_512() -> Isa {
        Isa { level: Level::Emulated512 }
    }

    /// `scalar`, `avx2`, `avx512` or `amx` (AVX-512 with tiles): the values that `POLYMATH_ISA` takes.
    pub fn name(self) -> &'static str {
        match self.level {
            Level::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 { tiles: Some(_), .. } => "amx",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 { tiles: None, .. } => "avx512",
            #[cfg(test)]
            Level::Emulated512 => "emulated512",
        }
    }

    /// Products of whole tiles, where the machine has them.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn tiles(self) -> Option<Tiles> {
        match self.level {
            Level::Avx512 { tiles, .. } => tiles,
            _ => None,
        }
    }

    /// f32 lanes in one vector.
    pub(crate) fn lanes(self) -> usize {
        struct Count;
        impl Kernel for Count {
            type Output = usize;
            #[inline(always)]
            fn run<L: Lanes>(self, _lanes: L) -> usize {
                L::N
            }
        }
        self.dispatch(Count)
    }

    /// Runs `kernel`, compiled for this instruction set.
    #[inline]
    pub(crate) fn dispatch<K: Kernel>(self, kernel: K) -> K::Output {
        match self.level {
            Level::Scalar => kernel.run(Array::<8>),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this level is only made after the features were found on this machine.
            Level::Avx2 => unsafe { crate::lanes::avx2::run(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Level::Avx512 { .. } => unsafe { crate::lanes::avx512::run(kernel) },
            #[cfg(test)]
            Level::Emulated512 => kernel.run(Array::<16>),
        }
    }

    /// Whether [`Isa::dispatch_vectors_8`] has instructions for it here.
    pub(crate) fn has_vectors_8(self) -> bool {
        match self.level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 | Level::Avx512 { .. } => true,
            _ => false,
        }
    }

    /// Like [`Isa::dispatch`], with the instructions for products of bytes where the machine has them.
    #[inline]
    pub(crate) fn dispatch_bytes<K: Kernel>(self, kernel: K) -> K::Output {
        match self.level {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this level is only made after the features were found on this machine.
            Level::Avx512 { vnni: true, .. } => unsafe { crate::lanes::avx512::run_vnni(kernel) },
            _ => self.dispatch(kernel),
        }
    }

    /// Runs a kernel of 8 lanes that is not worth compiling for the portable path.
    ///
    /// # Panics
    /// Without [`Isa::has_vectors_8`].
    #[inline]
    pub(crate) fn dispatch_vectors_8<K: Kernel8>(self, kernel: K) -> K::Output {
        match self.level {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: both levels are only made after AVX2, FMA and F16C were found on this machine.
            Level::Avx2 | Level::Avx512 { .. } => unsafe { crate::lanes::avx2::run_8(kernel) },
            _ => unreachable!("this kernel has no portable version"),
        }
    }

    /// Whether [`Isa::dispatch_vectors_16`] has instructions for it here.
    pub(crate) fn has_vectors_16(self) -> bool {
        match self.level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 { vnni, .. } => vnni,
            #[cfg(test)]
            Level::Emulated512 => true,
            _ => false,
        }
    }

    /// Runs a kernel of 16 lanes that multiplies bytes.
    ///
    /// # Panics
    /// Without [`Isa::has_vectors_16`].
    #[inline]
    pub(crate) fn dispatch_vectors_16<K: Kernel16>(self, kernel: K) -> K::Output {
        match self.level {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this level is only made after the features were found on this machine.
            Level::Avx512 { vnni: true, .. } => unsafe { crate::lanes::avx512::run_16(kernel) },
            #[cfg(test)]
            Level::Emulated512 => kernel.run(Array::<16>),
            _ => unreachable!("this kernel has no other version"),
        }
    }

    /// Like [`Isa::dispatch`], but never with more than 8 lanes (for rearrangements written for 8).
    #[inline]
    pub(crate) fn dispatch_8<K: Kernel>(self, kernel: K) -> K::Output {
        match self.level {
            Level::Scalar => kernel.run(Array::<8>),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: both levels are only made after AVX2, FMA and F16C were found on this machine.
            Level::Avx2 | Level::Avx512 { .. } => unsafe { crate::lanes::avx2::run(kernel) },
            #[cfg(test)]
            Level::Emulated512 => kernel.run(Array::<8>),
        }
    }
}

/// An algorithm written for 8 lanes and vectors of 32 bytes; the rule of [`Kernel`] holds for it too.
pub(crate) trait Kernel8 {
    type Output;
    fn run<L: Lanes8>(self, lanes: L) -> Self::Output;
}

/// An algorithm written for 16 lanes and vectors of 64 bytes; the rule of [`Kernel`] holds for it too.
pub(crate) trait Kernel16 {
    type Output;
    fn run<L: Lanes16>(self, lanes: L) -> Self::Output;
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An algorithm written for vectors of any width. `run` and all that it calls must be `#[inline(always)]`, so that
/// the whole of it is compiled with the instruction set enabled.
pub(crate) trait Kernel {
    type Output;
    fn run<L: Lanes>(self, lanes: L) -> Self::Output;
}
