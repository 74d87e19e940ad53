//! SHA-256 of a file, read in pieces.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::Refusal;

/// Hash (lower hex) and length in bytes; `on_progress(done, total)` is called about every 4 MB.
pub(super) fn sha256(
    path: &Path,
    on_progress: &mut dyn FnMut(u64, u64) -> Result<(), Refusal>,
) -> Result<(String, u64), Refusal> {
    let mut file = File::open(path).map_err(Refusal::io("open", path))?;
    let total = file.metadata().map_err(Refusal::io("read", path))?.len();
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 4 << 20];
    let mut done = 0;
    loop {
        let n = file.read(&mut buffer).map_err(Refusal::io("read", path))?;
        if n == 0 {
            break;
        }
        hasher.update(&buffer[..n]);
        done += n as u64;
        on_progress(done, total)?;
    }
    Ok((hex(&hasher.finalize()), done))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
