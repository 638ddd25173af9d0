//! Damaged weight files by the thousand: whatever is in a file, reading it never panics.
//!
//! Each input is a function of its number. `CD_MUTATIONS` sets how many are tried, and
//! `CD_MUTATIONS_FROM` the first, which repeats a failure. docs/fuzzing.md tells what long runs found.

use std::fmt::Write as _;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs};

use burn::tensor::Device;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::describe::describe_weights;
use super::export::save_weights;
use super::import::load_weights;
use super::read::read;
use super::tests::fixture;
use crate::model::config::ModelConfig;

const INPUTS_IN_TESTS: u64 = 2_000;

#[test]
fn mutated_files_never_panic() {
    let number = |name: &str, default| {
        env::var(name).map_or(default, |text| text.parse().expect("a whole number"))
    };
    let first = number("CD_MUTATIONS_FROM", 0);
    let count = number("CD_MUTATIONS", INPUTS_IN_TESTS);
    let folder = tempfile::tempdir().expect("temporary folder");
    let bases = bases(folder.path());
    let path = folder.path().join("mutated");
    let mut tally = vec![Tally::default(); bases.len()];
    for number in first..first + count {
        let (base, bytes) = input(number, &bases);
        fs::write(&path, bytes).expect("written");
        let started = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| look(&path)));
        let Ok(was_read) = outcome else {
            let name = bases[base].name;
            panic!("input {number}, made from {name}; CD_MUTATIONS_FROM={number} repeats it");
        };
        let tally = &mut tally[base];
        tally.inputs += 1;
        tally.read += u64::from(was_read);
        tally.slowest = tally.slowest.max((started.elapsed(), number));
    }
    let report = report(&bases, &tally);
    // Mutations that nothing survives would test the first check only.
    let survivors = tally.iter().filter(|tally| tally.read > 0).count();
    assert!(count < INPUTS_IN_TESTS || survivors >= 3, "{report}");
    println_when_asked(&report);
}

/// The readers alone: what they read is not compared with every architecture, which makes a million inputs a matter of minutes.
#[test]
fn damaged_headers_never_panic() {
    const IN_TESTS: u64 = 20_000;
    let count =
        env::var("CD_MUTATIONS").map_or(IN_TESTS, |text| text.parse().expect("a whole number"));
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut bases = bases(folder.path());
    bases.truncate(2);
    let path = folder.path().join("mutated");
    let mut survivors = vec![0; bases.len()];
    for number in 0..count {
        let (base, bytes) = input(number, &bases);
        fs::write(&path, bytes).expect("written");
        survivors[base] += u64::from(read(&path).is_ok());
    }
    assert!(
        survivors.iter().all(|&some| some > count / 1000),
        "{survivors:?} of {count} survived"
    );
}

/// Whether the file could be read.
fn look(path: &Path) -> bool {
    let device = Device::flex();
    let described = describe_weights(path, &device);
    let loaded = load_weights(path, &device);
    assert!(
        loaded.is_err() || described.is_ok(),
        "what can be loaded can be described"
    );
    described.is_ok()
}

#[derive(Clone, Default)]
struct Tally {
    inputs: u64,
    read: u64,
    /// With the number of the input.
    slowest: (Duration, u64),
}

fn report(bases: &[Base], tally: &[Tally]) -> String {
    let mut text = String::new();
    for (base, tally) in bases.iter().zip(tally) {
        let Tally {
            inputs,
            read,
            slowest: (time, number),
        } = tally;
        let line = format!(
            "{}: {inputs} inputs, {read} still read, slowest {time:?} (input {number})",
            base.name
        );
        writeln!(text, "{line}").expect("writing to a string cannot fail");
    }
    text
}

#[expect(clippy::print_stdout, reason = "the result of a long run")]
fn println_when_asked(report: &str) {
    if env::var_os("CD_MUTATIONS").is_some() {
        println!("{report}");
    }
}

/// A good file to damage.
struct Base {
    name: &'static str,
    bytes: Vec<u8>,
    /// Whether the archive's checksums are made to fit again, so that what is behind them is reached.
    repaired: bool,
}

fn bases(folder: &Path) -> Vec<Base> {
    let model = ModelConfig::from_name("resnet10").expect("registered");
    let model = model.with_width(1).init(2, 1, &Device::flex());
    let model = model.expect("registered");
    let written = |name: &str| {
        let path = folder.join(name);
        save_weights(&model, &path).expect("written");
        fs::read(path).expect("just written")
    };
    let torch = |name: &str| fs::read(fixture(name)).expect("part of the repository");
    let nested = torch("nested_module.pt");
    let pickle = entries(&nested).into_iter().map(|entry| entry.data).next();
    let pickle = nested[pickle.expect("an archive")].to_vec();
    let base = |name, bytes, repaired| Base {
        name,
        bytes,
        repaired,
    };
    vec![
        base("safetensors", written("a.safetensors"), false),
        base("burnpack", written("a.bpk"), false),
        base("PyTorch archive", nested.clone(), false),
        base("PyTorch archive with good checksums", nested, true),
        base(
            "hostile archive with good checksums",
            torch("hostile_view.pt"),
            true,
        ),
        base("bare pickle", pickle, false),
    ]
}

/// The damaged file of this number and the place of the good one in `bases`.
fn input(number: u64, bases: &[Base]) -> (usize, Vec<u8>) {
    let mut random = ChaCha8Rng::seed_from_u64(number);
    let chosen = random.random_range(0..bases.len());
    let other = random.random_range(0..bases.len());
    let mut bytes = bases[chosen].bytes.clone();
    let spared = if bases[chosen].repaired {
        entries(&bytes)
    } else {
        Vec::new()
    };
    // Half of the files carry one change, a quarter two, ...
    let changes = 1 + random.random::<u8>().trailing_ones();
    for _ in 0..changes {
        if spared.is_empty() {
            mutate(&mut bytes, &bases[other].bytes, &mut random);
        } else {
            // Inside the first entry, the pickle, and without moving what is behind it.
            let pickle = spared[0].data.clone();
            let mut part = bytes[pickle.clone()].to_vec();
            mutate(&mut part, &bases[other].bytes, &mut random);
            part.resize(pickle.len(), b'.');
            bytes[pickle].copy_from_slice(&part);
        }
    }
    for entry in spared {
        let sum = crc32(&bytes[entry.data]);
        bytes[entry.checksum..entry.checksum + 4].copy_from_slice(&sum.to_le_bytes());
    }
    (chosen, bytes)
}

fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut ChaCha8Rng) {
    /// Where headers are.
    const HEAD: usize = 1024;
    const NUMBERS: [u64; 7] = [
        0,
        1,
        0x7f,
        0xff,
        0xffff_ffff,
        0x7fff_ffff_ffff_ffff,
        u64::MAX,
    ];
    let place = |length: usize, random: &mut ChaCha8Rng| {
        let reach = if random.random() {
            length.min(HEAD)
        } else {
            length
        };
        random.random_range(0..reach)
    };
    if bytes.is_empty() {
        return;
    }
    let at = place(bytes.len(), random);
    let end = (at + random.random_range(1..=64)).min(bytes.len());
    match random.random_range(0..9) {
        0 => bytes[at] ^= 1 << random.random_range(0..8),
        1 => bytes[at] = random.random(),
        2 | 3 => {
            let number = NUMBERS[random.random_range(0..NUMBERS.len())].to_le_bytes();
            let length = [1, 2, 4, 8][random.random_range(0..4)].min(bytes.len() - at);
            bytes[at..at + length].copy_from_slice(&number[..length]);
        }
        4 => {
            // The next digit of a text, which is an extent, an offset or a name.
            if let Some(digit) = bytes[at..].iter_mut().find(|byte| byte.is_ascii_digit()) {
                *digit = random.random_range(b'0'..=b'9');
            }
        }
        5 => bytes.truncate(at),
        6 => drop(bytes.drain(at..end)),
        7 => {
            let copy = bytes[at..end].to_vec();
            bytes.splice(at..at, copy);
        }
        _ => {
            let from = place(other.len(), random);
            let length = (end - at).min(other.len() - from);
            bytes[at..at + length].copy_from_slice(&other[from..from + length]);
        }
    }
}

/// An uncompressed file inside a zip archive.
struct Entry {
    data: Range<usize>,
    /// Where the checksum of its data stands in the archive's directory.
    checksum: usize,
}

/// The entries of a well-formed zip archive without compression, as PyTorch writes them.
fn entries(archive: &[u8]) -> Vec<Entry> {
    let number = |at: usize, length: usize| {
        let bytes = archive[at..at + length].iter().rev();
        bytes.fold(0_usize, |sum, &byte| (sum << 8) | usize::from(byte))
    };
    let directory = archive.windows(4).enumerate();
    let directory = directory.filter(|(_, mark)| *mark == b"PK\x01\x02");
    directory
        .map(|(at, _)| {
            let (size, local) = (number(at + 20, 4), number(at + 42, 4));
            let start = local + 30 + number(local + 26, 2) + number(local + 28, 2);
            Entry {
                data: start..start + size,
                checksum: at + 16,
            }
        })
        .collect()
}

/// The checksum of zip archives.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for &byte in bytes {
        sum ^= u32::from(byte);
        for _ in 0..8 {
            let low = sum & 1;
            sum = (sum >> 1) ^ (0xedb8_8320 * low);
        }
    }
    !sum
}

#[test]
fn checksums_are_those_of_the_archive() {
    let archive = fs::read(fixture("nested_module.pt")).expect("part of the repository");
    let entries = entries(&archive);
    assert!(entries.len() > 3);
    for entry in entries {
        let stored = &archive[entry.checksum..entry.checksum + 4];
        assert_eq!(crc32(&archive[entry.data]).to_le_bytes(), stored);
    }
}
