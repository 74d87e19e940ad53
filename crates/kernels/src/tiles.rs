//! Products of whole tiles in hardware: Intel's AMX, found in its server processors since 2023.
//!
//! Eight registers hold a tile each, 16 rows of 64 bytes; one instruction multiplies two of them and adds 16 × 16 sums
//! to a third: of bytes the work of 256 vector instructions, in sixteen cycles. Rust has no stable intrinsics for them, so
//! the loops are written in assembly (`gemm/split/product.rs`, `int8/tile.rs`); whoever runs one
//! holds a [`Tiles`]. (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18.)

use std::arch::asm;
use std::arch::x86_64::{__cpuid_count, __get_cpuid_max, _xgetbv};
use std::sync::OnceLock;

/// Rows of a tile.
pub(crate) const TILE: usize = 16;

/// Proof that the machine has tiles of bytes and of bf16 and AVX-512 (F, BW), and that the operating system saves tiles.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Tiles(());

/// What `ldtilecfg` reads: palette 1, then bytes per row and rows of each tile.
#[repr(C, align(64))]
struct Config {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// Eight whole tiles.
const WHOLE: Config = Config {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

impl Tiles {
    /// Asks processor and operating system, once per process.
    pub(crate) fn detect() -> Option<Tiles> {
        static FOUND: OnceLock<bool> = OnceLock::new();
        FOUND.get_or_init(|| processor_has_tiles() && system_grants_tiles()).then_some(Tiles(()))
    }

    /// Gives this thread eight whole tiles, which hold zero at first, until the guard is dropped. (No closure: it would be
    /// compiled without the instruction set of its surroundings.)
    #[inline(always)]
    pub(crate) fn configure(self) -> Configured {
        let config = WHOLE;
        // SAFETY: `self` says that tiles exist, and the configuration is a valid one.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const config, options(readonly, nostack)) };
        Configured(())
    }
}

/// Eight whole tiles of this thread. Afterwards the processor need not save them when it changes threads.
pub(crate) struct Configured(());

impl Drop for Configured {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: tiles exist, or this could not have been made.
        unsafe { asm!("tilerelease", options(nomem, nostack)) };
    }
}

/// Multiplications and additions of a step of [`multiply_bytes`].
pub(crate) const OPERATIONS: usize = 4 * 2 * TILE * TILE * 64;

/// Four products of tiles of zeros, `steps` times: as fast as they come, to measure the roof.
pub(crate) fn multiply_bytes(tiles: Tiles, steps: usize) {
    let _configured = tiles.configure();
    // SAFETY: tiles are configured, and only they are written.
    unsafe {
        asm!(
            "2:",
            "tdpbusd tmm0, tmm4, tmm6",
            "tdpbusd tmm1, tmm4, tmm7",
            "tdpbusd tmm2, tmm5, tmm6",
            "tdpbusd tmm3, tmm5, tmm7",
            "dec {n}",
            "jnz 2b",
            n = inout(reg) steps.max(1) => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            options(nomem, nostack),
        );
    }
}

fn processor_has_tiles() -> bool {
    /// Leaf 7: bf16, tiles, bytes.
    const FEATURES: u32 = 1 << 22 | 1 << 24 | 1 << 25;
    /// What the operating system has switched on: configuration and data of tiles.
    const STATES: u64 = 1 << 17 | 1 << 18;
    let has_vectors = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
    if !has_vectors || !is_x86_feature_detected!("xsave") || __get_cpuid_max(0).0 < 7 {
        return false;
    }
    #[target_feature(enable = "xsave")]
    fn states() -> u64 {
        // SAFETY: register 0 exists wherever the instruction does.
        unsafe { _xgetbv(0) }
    }
    let os_saves = __cpuid_count(1, 0).ecx & 1 << 27 != 0;
    __cpuid_count(7, 0).edx & FEATURES == FEATURES
        && os_saves
        // SAFETY: `xsave` was found, and bit 27 says that the instruction may be used.
        && unsafe { states() } & STATES == STATES
}

/// Linux hands out the 8 KB that tiles add to every thread's state on request only (Documentation/arch/x86/xstate.rst);
/// other systems are not asked.
#[cfg(target_os = "linux")]
fn system_grants_tiles() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    const XFEATURE_XTILEDATA: u64 = 18;
    let result: i64;
    // SAFETY: the call writes nothing to memory; rcx and r11 are the ones that system calls overwrite.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    result == 0
}

#[cfg(not(target_os = "linux"))]
fn system_grants_tiles() -> bool {
    false
}
