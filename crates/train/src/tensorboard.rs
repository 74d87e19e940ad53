//! Event files that TensorBoard reads: scalars, texts and histograms over steps.
//!
//! A file is a row of records: length (u64, little-endian), checksum of the length, bytes, checksum of the bytes. The
//! checksum is CRC-32C, rotated by 15 bits and shifted by a constant, so that checksums of checksums stay useful. The
//! bytes are a protocol-buffer message `Event`; its few fields are written here by hand, which is less than the code a
//! generator would bring.
//!
//! A resumed run writes a second file in the same folder. It opens with a session start at the step after the
//! checkpoint, upon which TensorBoard forgets the steps that were rolled back.
//!
//! Nothing depends on these files. A run that cannot write them says so and goes on.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// An event file open for appending.
#[derive(Debug)]
pub struct Events {
    path: PathBuf,
    file: File,
}

/// How many values lie between two bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    pub left: f64,
    pub right: f64,
    pub count: f64,
}

impl Events {
    /// Begins a file in `folder` at a moment in seconds since 1970. `first_step` is the step that comes next: above 1 the
    /// run is resumed.
    pub fn create(folder: &Path, at_s: f64, first_step: u64) -> io::Result<Self> {
        fs::create_dir_all(folder).map_err(|cause| tell("make folder", folder, &cause))?;
        let name =
            |n: u64| folder.join(format!("events.out.tfevents.{:010}.{n}.polymath", at_s as u64));
        let free = (0..u64::MAX).map(name).find(|path| !path.exists());
        let path = free.unwrap_or_else(|| name(0));
        let file = File::create_new(&path).map_err(|cause| tell("create", &path, &cause))?;
        let mut events = Self { path, file };
        events.write(&event(at_s, 0, |event| event.bytes(FILE_VERSION, b"brain.Event:2")))?;
        if first_step > 1 {
            events.write(&event(at_s, first_step, |event| {
                let mut start = Message::default();
                start.number(STATUS, SESSION_START);
                event.bytes(SESSION_LOG, &start.0);
            }))?;
        }
        Ok(events)
    }

    /// Several values of one step under their names, such as `loss/train`.
    pub fn scalars(&mut self, at_s: f64, step: u64, values: &[(&str, f64)]) -> io::Result<()> {
        let mut summary = Message::default();
        for (tag, value) in values {
            let mut message = Message::default();
            message.bytes(TAG, tag.as_bytes());
            message.float(SIMPLE_VALUE, *value as f32);
            summary.bytes(VALUE, &message.0);
        }
        self.summary(at_s, step, &summary)
    }

    /// A text; TensorBoard shows it as Markdown.
    pub fn text(&mut self, at_s: f64, step: u64, tag: &str, text: &str) -> io::Result<()> {
        let mut tensor = Message::default();
        tensor.number(DTYPE, DT_STRING);
        tensor.bytes(TENSOR_SHAPE, &[]);
        tensor.bytes(STRING_VAL, text.as_bytes());
        self.tensor(at_s, step, tag, "text", &tensor)
    }

    /// A distribution as counts between bounds.
    pub fn histogram(
        &mut self,
        at_s: f64,
        step: u64,
        tag: &str,
        buckets: &[Bucket],
    ) -> io::Result<()> {
        let mut shape = Message::default();
        for size in [buckets.len() as u64, 3] {
            let mut dim = Message::default();
            dim.number(SIZE, size);
            shape.bytes(DIM, &dim.0);
        }
        let numbers = buckets.iter().flat_map(|bucket| [bucket.left, bucket.right, bucket.count]);
        let content: Vec<u8> = numbers.flat_map(f64::to_le_bytes).collect();
        let mut tensor = Message::default();
        tensor.number(DTYPE, DT_DOUBLE);
        tensor.bytes(TENSOR_SHAPE, &shape.0);
        tensor.bytes(TENSOR_CONTENT, &content);
        self.tensor(at_s, step, tag, "histograms", &tensor)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A value for one of TensorBoard's plugins.
    fn tensor(
        &mut self,
        at_s: f64,
        step: u64,
        tag: &str,
        plugin: &str,
        tensor: &Message,
    ) -> io::Result<()> {
        let mut plugin_data = Message::default();
        plugin_data.bytes(PLUGIN_NAME, plugin.as_bytes());
        let mut metadata = Message::default();
        metadata.bytes(PLUGIN_DATA, &plugin_data.0);
        metadata.number(DATA_CLASS, DATA_CLASS_TENSOR);
        let mut value = Message::default();
        value.bytes(TAG, tag.as_bytes());
        value.bytes(TENSOR, &tensor.0);
        value.bytes(METADATA, &metadata.0);
        let mut summary = Message::default();
        summary.bytes(VALUE, &value.0);
        self.summary(at_s, step, &summary)
    }

    fn summary(&mut self, at_s: f64, step: u64, summary: &Message) -> io::Result<()> {
        self.write(&event(at_s, step, |event| event.bytes(SUMMARY, &summary.0)))
    }

    /// One record by one call, so that a reader of the growing file sees whole records nearly always.
    fn write(&mut self, event: &[u8]) -> io::Result<()> {
        let length = (event.len() as u64).to_le_bytes();
        let mut record = Vec::with_capacity(event.len() + 16);
        record.extend(length);
        record.extend(masked_crc(&length).to_le_bytes());
        record.extend(event);
        record.extend(masked_crc(event).to_le_bytes());
        self.file.write_all(&record).map_err(|cause| tell("write", &self.path, &cause))
    }
}

fn tell(doing: &str, path: &Path, cause: &io::Error) -> io::Error {
    io::Error::new(cause.kind(), format!("cannot {doing} {}: {cause}", path.display()))
}

// Numbers of fields in tensorflow's event.proto, summary.proto, tensor.proto and tensor_shape.proto.
const WALL_TIME: u32 = 1;
const STEP: u32 = 2;
const FILE_VERSION: u32 = 3;
const SUMMARY: u32 = 5;
const SESSION_LOG: u32 = 7;
const STATUS: u32 = 1;
const SESSION_START: u64 = 1;
const VALUE: u32 = 1;
const TAG: u32 = 1;
const SIMPLE_VALUE: u32 = 2;
const TENSOR: u32 = 8;
const METADATA: u32 = 9;
const PLUGIN_DATA: u32 = 1;
const PLUGIN_NAME: u32 = 1;
const DATA_CLASS: u32 = 4;
const DATA_CLASS_TENSOR: u64 = 2;
const DTYPE: u32 = 1;
const DT_DOUBLE: u64 = 2;
const DT_STRING: u64 = 7;
const TENSOR_SHAPE: u32 = 2;
const TENSOR_CONTENT: u32 = 4;
const STRING_VAL: u32 = 8;
const DIM: u32 = 2;
const SIZE: u32 = 1;

fn event(at_s: f64, step: u64, fill: impl FnOnce(&mut Message)) -> Vec<u8> {
    let mut message = Message::default();
    message.double(WALL_TIME, at_s);
    message.number(STEP, step);
    fill(&mut message);
    message.0
}

/// A protocol-buffer message under construction: each field is its number and wire type, then its value.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn number(&mut self, field: u32, value: u64) {
        self.varint(u64::from(field << 3));
        self.varint(value);
    }

    fn double(&mut self, field: u32, value: f64) {
        self.varint(u64::from(field << 3 | 1));
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u32, value: &[u8]) {
        self.varint(u64::from(field << 3 | 2));
        self.varint(value.len() as u64);
        self.0.extend(value);
    }

    fn float(&mut self, field: u32, value: f32) {
        self.varint(u64::from(field << 3 | 5));
        self.0.extend(value.to_le_bytes());
    }

    /// Seven bits a byte, the lowest first; the top bit says that more follow.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32 with Castagnoli's polynomial, one byte at a time: records are short.
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    !bytes.iter().fold(!0, |crc, &byte| TABLE[usize::from((crc as u8) ^ byte)] ^ (crc >> 8))
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test vectors of RFC 3720, appendix B.4, and the usual check value.
    #[test]
    fn the_checksum_is_crc32c() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    /// The files that golden/tensorboard/check.py reads with the `tensorboard` package of Python.
    #[test]
    fn the_files_are_to_the_byte_those_that_tensorboard_reads() {
        let folder = tempfile::tempdir().expect("a folder");
        let written = [example(folder.path()), resumed(folder.path())];
        for (path, golden) in written.into_iter().zip(["events.bin", "resumed.bin"]) {
            let golden =
                Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/tensorboard").join(golden);
            let bytes = fs::read(path.expect("a file")).expect("bytes");
            assert_eq!(bytes, fs::read(golden).expect("the golden file"));
        }
    }

    #[test]
    fn a_second_file_of_the_same_second_has_a_name_of_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = Events::create(folder.path(), 1.0, 1).expect("a file");
        let second = Events::create(folder.path(), 1.0, 5).expect("a file");
        assert_ne!(first.path(), second.path());
        assert!(
            fs::metadata(second.path()).unwrap().len() > fs::metadata(first.path()).unwrap().len()
        );
    }

    fn example(folder: &Path) -> io::Result<PathBuf> {
        let mut events = Events::create(folder, 1_790_000_000.25, 1)?;
        for step in 1..=3 {
            let at_s = 1_790_000_000.5 + step as f64;
            let values =
                [("loss/train", 8.0 / step as f64), ("learning rate", 0.001 * step as f64)];
            events.scalars(at_s, step, &values)?;
        }
        events.scalars(1_790_000_009.0, 1 << 40, &[("loss/train", f64::NAN), ("big", -1e30)])?;
        events.text(1_790_000_010.0, 3, "samples", "The lighthouse **stood** – an example.\n")?;
        let bucket = |left, count| Bucket { left, right: left + 0.5, count };
        events.histogram(1_790_000_011.0, 3, "experts", &[bucket(0.0, 4.0), bucket(0.5, 300.0)])?;
        Ok(events.path().into())
    }

    /// The run goes on from step 2: steps 3 and above are told anew.
    fn resumed(folder: &Path) -> io::Result<PathBuf> {
        let mut events = Events::create(folder, 1_790_000_100.0, 3)?;
        events.scalars(1_790_000_101.0, 3, &[("loss/train", 2.5)])?;
        Ok(events.path().into())
    }
}
