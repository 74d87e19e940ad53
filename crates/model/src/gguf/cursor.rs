//! A reading position in a byte slice. Every read says what it is for, so that running out of
//! bytes becomes a sentence.

use std::path::Path;

use crate::Error;

pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
    path: &'a Path,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8], path: &'a Path) -> Self {
        Self { bytes, position: 0, path }
    }

    /// A cursor at `position` of bytes that were walked before.
    pub(crate) fn at(bytes: &'a [u8], path: &'a Path, position: usize) -> Self {
        Self { bytes, position, path }
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn path(&self) -> &'a Path {
        self.path
    }

    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// The next `n` bytes.
    pub(crate) fn take(&mut self, n: u64, what: &str) -> Result<&'a [u8], Error> {
        if n > self.remaining() as u64 {
            let what = format!(
                "the file ends inside {what}: {n} bytes wanted at {}, {} left",
                self.position,
                self.remaining()
            );
            return Err(Error::malformed(self.path, what));
        }
        let start = self.position;
        self.position += n as usize;
        Ok(&self.bytes[start..self.position])
    }

    pub(crate) fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64, what)?);
        Ok(array)
    }

    pub(crate) fn u32(&mut self, what: &str) -> Result<u32, Error> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, what: &str) -> Result<u64, Error> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A count that may not exceed `limit`.
    pub(crate) fn count(&mut self, what: &str, limit: u64) -> Result<u64, Error> {
        let count = self.u64(what)?;
        if count > limit {
            let what = format!("{what} is {count}, more than the {limit} that are accepted");
            return Err(Error::malformed(self.path, what));
        }
        Ok(count)
    }

    /// A string's bytes: length as u64, then that many bytes.
    pub(crate) fn string(&mut self, what: &str) -> Result<&'a [u8], Error> {
        let length = self.u64(what)?;
        self.take(length, what)
    }

    /// A string that must be UTF-8 and short: a key or a tensor's name.
    pub(crate) fn name(&mut self, what: &str, max_bytes: u64) -> Result<String, Error> {
        let length = self.count(what, max_bytes)?;
        let bytes = self.take(length, what)?;
        match std::str::from_utf8(bytes) {
            Ok(name) => Ok(name.to_owned()),
            Err(_) => Err(Error::malformed(self.path, format!("{what} is not valid UTF-8"))),
        }
    }
}
