//! SHA-256 in lower-case hexadecimal, as `sha256sum` prints it.

use std::io::Read;

use sha2::digest::Output;
use sha2::{Digest, Sha256};

/// Of bytes at hand.
pub(crate) fn of(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Of everything that is left to read, with its number of bytes.
pub(crate) fn of_all(mut source: impl Read) -> std::io::Result<(u64, String)> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let n = source.read(&mut buffer)?;
        if n == 0 {
            return Ok((bytes, hexadecimal(&hasher.finalize())));
        }
        hasher.update(&buffer[..n]);
        bytes += n as u64;
    }
}

fn hexadecimal(digest: &Output<Sha256>) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2, appendix B.3: a million times the letter a.
    #[test]
    fn read_in_pieces_or_at_once_it_is_the_published_hash() {
        let letters = vec![b'a'; 1_000_000];
        let published = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
        assert_eq!(of(&letters), published);
        let twice = letters[..400_000].chain(&letters[400_000..]);
        assert_eq!(of_all(twice).expect("read"), (1_000_000, published.to_owned()));
    }
}
