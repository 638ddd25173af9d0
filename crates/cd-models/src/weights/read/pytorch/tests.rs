//! Damaged checkpoints by the thousand, in memory, and pickles of every protocol.

use std::env;
use std::io::Cursor;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::pickle::{Item, Value};
use super::*;
use crate::weights::tests::pickled::{self, Py, call, dict, ordered, tensor, text};

/// A state dict with arrays, tensors and all kinds of objects.
fn root() -> Py {
    let kind = Py::State(
        Box::new(call("numpy", "dtype", vec![text("f4"), Py::None, Py::True])),
        Box::new(Py::Tuple(vec![Py::Int(3), text("<"), Py::None])),
    );
    let state = Py::Tuple(vec![
        Py::Int(1),
        Py::Tuple(vec![Py::Int(2)]),
        kind,
        Py::None,
        Py::Bytes(vec![0, 0, 128, 63, 0, 0, 0, 64]),
    ]);
    let array = Py::State(
        Box::new(call("numpy.core.multiarray", "_reconstruct", Vec::new())),
        Box::new(state),
    );
    let weights = ordered(vec![
        (text("conv1.weight"), tensor(&[2, 3, 1, 1], &[0.5; 6])),
        (text("mean"), tensor(&[3], &[0.5; 3])),
        (Py::Int(7), array),
    ]);
    dict([
        ("state_dict", weights),
        (
            "args",
            pickled::object("argparse", "Namespace", vec![(text("lr"), Py::Float(0.1))]),
        ),
        (
            "list",
            Py::List(vec![Py::None, Py::Tuple(vec![Py::Int(-1)])]),
        ),
    ])
}

fn read_as(kind: usize, bytes: &[u8]) -> Result<Entries, PickleError> {
    let length = bytes.len() as u64;
    match kind {
        0 => archive(Cursor::new(bytes)),
        1 => old(Cursor::new(bytes), length),
        _ => bare(Cursor::new(bytes), length),
    }
}

fn bases() -> [Vec<u8>; 3] {
    [
        pickled::archive("m", &root()),
        pickled::old(&root()),
        pickled::bare(&root()),
    ]
}

#[test]
fn good_files_are_read() {
    for (kind, bytes) in bases().iter().enumerate() {
        let entries = read_as(kind, bytes).expect("good");
        let array = &entries["state_dict.7"];
        assert_eq!(array.shape, [2]);
        let values = array
            .read(&mut Cursor::new(bytes))
            .expect("in the file")
            .expect("floats")
            .values;
        assert_eq!(values, [1.0, 2.0]);
        assert_eq!(entries["state_dict.conv1.weight"].group, "state_dict");
        assert_eq!(entries.len(), 3);
    }
}

/// `CD_MUTATIONS` sets how many inputs are tried.
#[test]
fn damage_never_panics() {
    const IN_TESTS: u64 = 20_000;
    let count =
        env::var("CD_MUTATIONS").map_or(IN_TESTS, |text| text.parse().expect("a whole number"));
    let bases = bases();
    let mut survivors = 0;
    for number in 0..count {
        let mut random = ChaCha8Rng::seed_from_u64(number);
        let kind = random.random_range(0..bases.len());
        let mut bytes = bases[kind].clone();
        for _ in 0..=random.random::<u8>().trailing_ones() {
            let at = random.random_range(0..bytes.len());
            match random.random_range(0..5) {
                0 => bytes[at] = random.random(),
                1 => {
                    bytes[at] = *b"}](tuRbQqr.XBceso0\x81\x93\x94\x8e"
                        .get(random.random_range(0..22))
                        .expect("in range");
                }
                2 => bytes.truncate(at + 1),
                3 => {
                    let copy = bytes[at..(at + 20).min(bytes.len())].to_vec();
                    bytes.splice(at..at, copy);
                }
                _ => {
                    let end = (at + 8).min(bytes.len());
                    bytes[at..end].fill([0, 0xff, 0x7f][random.random_range(0..3)]);
                }
            }
        }
        if let Ok(entries) = read_as(kind, &bytes) {
            survivors += 1;
            for entry in entries.values().filter(|entry| entry.claimed() < 1 << 20) {
                // Either values or an error.
                let _ = entry.read(&mut Cursor::new(&bytes));
            }
        }
    }
    assert!(survivors > count / 100, "{survivors} of {count} survived");
}

/// `pickle.dumps({"a": 1, 2: [1.5, None, True], (1, 2): "xyz", "b": b"abc", "s": {1}, "n": -300, "l": 2 ** 70}, protocol)`.
const PROTOCOLS: [&[u8]; 6] = [
    b"(dp0\nVa\np1\nI1\nsI2\n(lp2\nF1.5\naNaI01\nas(I1\nI2\ntp3\nVxyz\np4\nsVb\np5\nc_codecs\nencode\np6\n(Vabc\np7\nVlatin1\np8\ntp9\nRp10\nsVs\np11\nc__builtin__\nset\np12\n((lp13\nI1\natp14\nRp15\nsVn\np16\nI-300\nsVl\np17\nL1180591620717411303424L\ns.",
    b"}q\x00(X\x01\x00\x00\x00aq\x01K\x01K\x02]q\x02(G?\xf8\x00\x00\x00\x00\x00\x00NI01\ne(K\x01K\x02tq\x03X\x03\x00\x00\x00xyzq\x04X\x01\x00\x00\x00bq\x05c_codecs\nencode\nq\x06(X\x03\x00\x00\x00abcq\x07X\x06\x00\x00\x00latin1q\x08tq\x09Rq\nX\x01\x00\x00\x00sq\x0bc__builtin__\nset\nq\x0c(]q\x0dK\x01atq\x0eRq\x0fX\x01\x00\x00\x00nq\x10J\xd4\xfe\xff\xffX\x01\x00\x00\x00lq\x11L1180591620717411303424L\nu.",
    b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01K\x01K\x02]q\x02(G?\xf8\x00\x00\x00\x00\x00\x00N\x88eK\x01K\x02\x86q\x03X\x03\x00\x00\x00xyzq\x04X\x01\x00\x00\x00bq\x05c_codecs\nencode\nq\x06X\x03\x00\x00\x00abcq\x07X\x06\x00\x00\x00latin1q\x08\x86q\x09Rq\nX\x01\x00\x00\x00sq\x0bc__builtin__\nset\nq\x0c]q\x0dK\x01a\x85q\x0eRq\x0fX\x01\x00\x00\x00nq\x10J\xd4\xfe\xff\xffX\x01\x00\x00\x00lq\x11\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00@u.",
    b"\x80\x03}q\x00(X\x01\x00\x00\x00aq\x01K\x01K\x02]q\x02(G?\xf8\x00\x00\x00\x00\x00\x00N\x88eK\x01K\x02\x86q\x03X\x03\x00\x00\x00xyzq\x04X\x01\x00\x00\x00bq\x05C\x03abcq\x06X\x01\x00\x00\x00sq\x07cbuiltins\nset\nq\x08]q\x09K\x01a\x85q\nRq\x0bX\x01\x00\x00\x00nq\x0cJ\xd4\xfe\xff\xffX\x01\x00\x00\x00lq\x0d\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00@u.",
    b"\x80\x04\x95T\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01a\x94K\x01K\x02]\x94(G?\xf8\x00\x00\x00\x00\x00\x00N\x88eK\x01K\x02\x86\x94\x8c\x03xyz\x94\x8c\x01b\x94C\x03abc\x94\x8c\x01s\x94\x8f\x94(K\x01\x90\x8c\x01n\x94J\xd4\xfe\xff\xff\x8c\x01l\x94\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00@u.",
    b"\x80\x05\x95T\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01a\x94K\x01K\x02]\x94(G?\xf8\x00\x00\x00\x00\x00\x00N\x88eK\x01K\x02\x86\x94\x8c\x03xyz\x94\x8c\x01b\x94C\x03abc\x94\x8c\x01s\x94\x8f\x94(K\x01\x90\x8c\x01n\x94J\xd4\xfe\xff\xff\x8c\x01l\x94\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00@u.",
];

#[test]
fn every_protocol_is_read() {
    for (protocol, bytes) in PROTOCOLS.iter().enumerate() {
        let mut input = Input::new(Cursor::new(bytes), 0, bytes.len() as u64).expect("memory");
        let pickle =
            unpickle(&mut input).unwrap_or_else(|error| panic!("protocol {protocol}: {error}"));
        assert_eq!(input.at(), bytes.len() as u64);
        let Some(Item::Dict(pairs)) = pickle.item(pickle.root) else {
            panic!("protocol {protocol}: no dictionary");
        };
        let of = |name: &str| {
            let found = pairs
                .iter()
                .find(|(key, _)| pickle.text(*key) == Some(name));
            found.expect("in the dictionary").1
        };
        assert_eq!(of("a"), Value::Int(1));
        assert_eq!(of("n"), Value::Int(-300));
        assert_eq!(pairs[1].0, Value::Int(2));
        let list = pickle.elements(pairs[1].1).expect("a list");
        assert_eq!(list, [Value::Float(1.5), Value::None, Value::Bool(true)]);
        assert_eq!(pickle.sizes(pairs[2].0), Some(vec![1, 2]));
        assert_eq!(pickle.text(pairs[2].1), Some("xyz"));
        assert_eq!(pairs.len(), 7);
    }
}
