//! The GGUF reader takes every kind of value and refuses what does not hold together, without panicking.

mod support;

use std::path::Path;

use model::Error;
use model::gguf::{Gguf, Value, ValueType};
use proptest::prelude::*;
use support::gguf_writer::{Writer, sample};

fn open(bytes: &[u8]) -> Result<Gguf, Error> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    Gguf::open(file.path())
}

/// Opens the bytes and reads everything that can be asked for.
fn read_all(bytes: &[u8]) -> Result<(), Error> {
    let gguf = open(bytes)?;
    for (key, value) in gguf.metadata() {
        if let Value::Array(array) = value {
            let _ = gguf.elements(array);
        }
        let _ = (gguf.string(key), gguf.integer(key), gguf.number(key), gguf.boolean(key));
        let _ = (gguf.strings(key), gguf.floats(key), gguf.integers(key));
    }
    for tensor in gguf.tensors() {
        assert_eq!(gguf.tensor_bytes(tensor)?.len(), tensor.range.len());
    }
    if let Ok(weights) = model::weights::Weights::from_gguf(&gguf) {
        let _ = model::config::DecoderConfig::from_gguf(&gguf, &weights);
    }
    Ok(())
}

fn refusal(bytes: &[u8]) -> String {
    let message = open(bytes).expect_err("should be refused").to_string();
    assert!(message.contains("hint:"), "{message}");
    message
}

#[test]
fn every_kind_of_value_is_read_back() {
    for version in [2, 3] {
        let mut writer = Writer::new(version);
        writer.key("u8", 0, &[200]);
        writer.key("i8", 1, &[0xfe]);
        writer.key("u16", 2, &60_000_u16.to_le_bytes());
        writer.key("i16", 3, &(-300_i16).to_le_bytes());
        writer.key("u32", 4, &4_000_000_000_u32.to_le_bytes());
        writer.key("i32", 5, &(-70_000_i32).to_le_bytes());
        writer.key("f32", 6, &1.5_f32.to_le_bytes());
        writer.key("bool", 7, &[1]);
        writer.text("string", "größer");
        writer.key("u64", 10, &(1_u64 << 40).to_le_bytes());
        writer.key("i64", 11, &(-5_i64).to_le_bytes());
        writer.key("f64", 12, &0.1_f64.to_le_bytes());
        writer.texts("texts", &["a", "", "ß"]);
        writer.array("numbers", 5, &[(-1_i32).to_le_bytes(), 7_i32.to_le_bytes()].concat(), 2);
        // A list of two lists of bytes: [[1, 2], [3]].
        let list = |bytes: &[u8]| {
            [&0_u32.to_le_bytes()[..], &(bytes.len() as u64).to_le_bytes(), bytes].concat()
        };
        writer.array("nested", 9, &[list(&[1, 2]), list(&[3])].concat(), 2);
        let gguf = open(&writer.finish()).unwrap();

        assert_eq!(gguf.version(), version);
        assert_eq!(gguf.get("u8"), Some(&Value::U8(200)));
        assert_eq!(gguf.get("i8"), Some(&Value::I8(-2)));
        assert_eq!(gguf.integer("u16").unwrap(), Some(60_000));
        assert_eq!(gguf.number("i16").unwrap(), Some(-300.0));
        assert_eq!(gguf.integer("u32").unwrap(), Some(4_000_000_000));
        assert!(gguf.integer("i32").is_err(), "a negative number is not a size");
        assert_eq!(gguf.number("f32").unwrap(), Some(1.5));
        assert_eq!(gguf.boolean("bool").unwrap(), Some(true));
        assert_eq!(gguf.string("string").unwrap(), Some("größer"));
        assert_eq!(gguf.integer("u64").unwrap(), Some(1 << 40));
        assert_eq!(gguf.number("i64").unwrap(), Some(-5.0));
        assert_eq!(gguf.number("f64").unwrap(), Some(0.1));
        assert_eq!(gguf.strings("texts").unwrap().unwrap(), ["a", "", "ß"]);
        assert_eq!(gguf.integers("numbers").unwrap().unwrap(), [-1, 7]);
        assert_eq!(gguf.floats("numbers").unwrap().unwrap(), [-1.0, 7.0]);
        let Some(Value::Array(nested)) = gguf.get("nested") else { panic!() };
        assert_eq!((nested.element, nested.len), (ValueType::Array, 2));
        let inner = gguf.elements(nested);
        let bytes = inner.iter().map(|list| match list {
            Value::Array(list) => gguf.elements(list),
            _ => panic!("not a list"),
        });
        let expected = [vec![Value::U8(1), Value::U8(2)], vec![Value::U8(3)]];
        assert_eq!(bytes.collect::<Vec<_>>(), expected);
        assert_eq!(gguf.string("absent").unwrap(), None);
        let message = gguf.string("u8").unwrap_err().to_string();
        assert!(message.contains("u8"), "{message}");
    }
}

#[test]
fn tensors_come_with_shape_type_and_their_own_bytes() {
    let gguf = open(&sample()).unwrap();
    let weight = gguf.tensors().iter().find(|tensor| tensor.name == "weight").unwrap();
    assert_eq!((weight.kind.name, weight.shape.as_slice()), ("Q8_0", [3, 32].as_slice()));
    assert_eq!(weight.n_elements(), 96);
    assert_eq!(*gguf.tensor_bytes(weight).unwrap(), [7; 3 * 34]);
    let gain = gguf.tensors().iter().find(|tensor| tensor.name == "gain").unwrap();
    assert_eq!(*gguf.tensor_bytes(gain).unwrap(), [9; 5 * 4]);
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let bytes = sample();
    for len in 0..bytes.len() {
        refusal(&bytes[..len]);
    }
    read_all(&bytes).unwrap();
}

#[test]
fn claims_that_cannot_be_true_are_refused_by_name() {
    let absurd = |offset: usize, value: u64| {
        let mut bytes = sample();
        bytes[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
        refusal(&bytes)
    };
    assert!(absurd(8, u64::MAX).contains("number of tensors"));
    assert!(absurd(16, u64::MAX).contains("number of metadata keys"));

    let mut writer = Writer::new(3);
    writer.key("list", 9, &[&8_u32.to_le_bytes()[..], &u64::MAX.to_le_bytes()].concat());
    assert!(refusal(&writer.finish()).contains("list"));
    let mut writer = Writer::new(3);
    writer.key("twice", 7, &[1]);
    writer.key("twice", 7, &[1]);
    assert!(refusal(&writer.finish()).contains("twice"));
    let mut writer = Writer::new(3);
    writer.key("strange", 99, &[1]);
    assert!(refusal(&writer.finish()).contains("strange"));
    let mut writer = Writer::new(3);
    writer.key("general.alignment", 4, &24_u32.to_le_bytes());
    assert!(refusal(&writer.finish()).contains("general.alignment"));
    let mut writer = Writer::new(3);
    let depths = 100_000;
    let deep = [9_u32.to_le_bytes().as_slice(), &1_u64.to_le_bytes()].concat().repeat(depths);
    writer.key("deep", 9, &deep);
    assert!(refusal(&writer.finish()).contains("deep"));
}

#[test]
fn tensors_that_do_not_fit_are_refused_by_name() {
    type Edit<'a> = (&'a str, &'a [u64], u32, u64, &'a str);
    let cases: [Edit<'_>; 7] = [
        ("huge", &[1 << 40, 1 << 40], 0, 0, "overflows"),
        ("long", &[1 << 20], 0, 0, "past the end"),
        ("far", &[4], 0, u64::MAX - 31, "past the end"),
        ("crooked", &[4], 0, 4, "alignment"),
        ("ragged", &[33], 8, 0, "multiple of the 32"),
        ("novel", &[32], 77, 0, "element type 77"),
        ("deep", &[1, 1, 1, 1, 1], 0, 0, "dimensions"),
    ];
    for (name, shape, kind, offset, expected) in cases {
        let mut writer = Writer::new(3);
        writer.tensor(name, shape, kind, offset);
        writer.data(&[0; 64]);
        let message = refusal(&writer.finish());
        assert!(message.contains(name) && message.contains(expected), "{message}");
    }
    let mut writer = Writer::new(3);
    writer.tensor("twin", &[4], 0, 0);
    writer.tensor("twin", &[4], 0, 32);
    writer.data(&[0; 64]);
    assert!(refusal(&writer.finish()).contains("twin"));
}

#[test]
fn other_files_versions_and_byte_orders_are_told_apart() {
    assert!(refusal(b"PK\x03\x04 something else").contains("does not begin with GGUF"));
    assert!(refusal(&Writer::new(1).finish()).contains("version 1"));
    assert!(refusal(&Writer::new(9).finish()).contains("version 9"));
    assert!(refusal(&Writer::new(3_u32.swap_bytes()).finish()).contains("big-endian"));
    let message = Gguf::open(Path::new("/nonexistent/model.gguf")).unwrap_err().to_string();
    assert!(message.contains("/nonexistent/model.gguf"), "{message}");
}

proptest! {
    #[test]
    fn flipped_bits_never_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u32), 1..6)) {
        let mut bytes = sample();
        for (place, bit) in flips {
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
        }
        let _ = read_all(&bytes);
    }

    #[test]
    fn wild_numbers_anywhere_never_panic(
        place in any::<prop::sample::Index>(),
        value in prop_oneof![Just(u64::MAX), Just(1 << 63), Just(u64::from(u32::MAX)), any::<u64>()],
    ) {
        let mut bytes = sample();
        let place = place.index(bytes.len() - 8);
        bytes[place..place + 8].copy_from_slice(&value.to_le_bytes());
        let _ = read_all(&bytes);
    }

    #[test]
    fn noise_after_a_header_never_panics(noise in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend(noise);
        let _ = read_all(&bytes);
    }
}
