//! Pickles of each protocol, and hostile ones.

use super::*;

/// `{"labels": [1, 2], "data": array of u8 [1, 3]}` as Python 2 writes it with protocol 2.
const PYTHON_2: &[u8] = b"\x80\x02}q\x01(U\x06labelsq\x02]q\x03(K\x01K\x02eU\x04dataq\x04cnumpy.core.multiarray\n_reconstruct\nq\x05\
cnumpy\nndarray\nq\x06K\x00\x85q\x07U\x01bq\x08\x87q\x09Rq\x0a(K\x01K\x01K\x03\x86q\x0bcnumpy\ndtype\nq\x0cU\x02u1q\x0dK\x00K\x01\x87\
q\x0eRq\x0f(K\x03U\x01|q\x10NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x11b\x89U\x03\x01\xfe\x03q\x12tq\x13bu.";

#[test]
fn arrays_of_python_2_are_read() {
    let pickle = parse(PYTHON_2).expect("plain data");
    let labels = pickle
        .members(pickle.entry("labels").expect("there"))
        .expect("a list");
    let labels: Vec<_> = labels.iter().map(|&id| pickle.int(id)).collect();
    assert_eq!(labels, [Some(1), Some(2)]);
    let array = pickle
        .array(pickle.entry("data").expect("there"))
        .expect("an array");
    assert_eq!((array.shape.as_slice(), array.kind), (&[1, 3][..], "u1"));
    assert_eq!(
        (array.bytes, array.is_fortran),
        (Numbers::Here((&[1, 0xfe, 3][..]).into()), false)
    );
    assert_eq!(pickle.entry("names"), None);
}

#[test]
fn bytes_may_be_written_as_latin_text() {
    let text = b"\x80\x02}X\x01\x00\x00\x00ac_codecs\nencode\nX\x02\x00\x00\x00\xc3\xbeX\x06\x00\x00\x00latin1\x86Rs.";
    let pickle = parse(text).expect("plain data");
    let entry = pickle.entry("a").expect("there");
    assert!(matches!(pickle.value(entry), Value::Latin1(_)));
    assert_eq!(pickle.text(entry), None, "not ASCII");
}

#[test]
fn nothing_is_called() {
    let error = parse(b"cos\nsystem\n(S'echo'\ntR.").expect_err("hostile");
    assert!(
        error.to_string().contains("`os.system` at byte 0"),
        "{error}"
    );
    let error = parse(b"\x80\x04\x8c\x02os\x8c\x06system\x93.").expect_err("hostile");
    assert!(error.to_string().contains("`os.system`"), "{error}");
    let error = parse(b"(ios\nsystem\n.").expect_err("hostile");
    assert_eq!(
        error,
        PickleError::Opcode {
            at: 1,
            opcode: b'i'
        }
    );
}

#[test]
fn every_cut_and_every_changed_byte_is_an_error_or_a_value() {
    for length in 0..PYTHON_2.len() {
        assert!(parse(&PYTHON_2[..length]).is_err(), "{length}");
    }
    for at in 0..PYTHON_2.len() {
        for byte in 0..=255 {
            let mut changed = PYTHON_2.to_vec();
            changed[at] = byte;
            if let Ok(pickle) = parse(&changed) {
                let array = pickle.entry("data").and_then(|id| pickle.array(id));
                assert!(array.is_none_or(|array| array.bytes.len() < changed.len() as u64));
            }
        }
    }
}

#[test]
fn a_list_may_hold_itself_and_sizes_are_not_believed() {
    let pickle = parse(b"]q\x00h\x00a.").expect("a list");
    assert_eq!(pickle.members(0), Some(&[0][..]));
    let error = parse(b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff.").expect_err("huge");
    assert!(error.to_string().contains("ends early"), "{error}");
}

#[test]
fn damage_never_panics() {
    let text = b"\x80\x02}X\x01\x00\x00\x00ac_codecs\nencode\nX\x02\x00\x00\x00\xc3\xbeX\x06\x00\x00\x00latin1\x86Rs.";
    let survivors = crate::testing::mutations(&[PYTHON_2.to_vec(), text.to_vec()], |bytes| {
        let Ok(pickle) = parse(bytes) else {
            return false;
        };
        let entry = |name| pickle.entry(name);
        let labels = entry("labels").and_then(|id| pickle.members(id));
        let sum: i64 = labels
            .into_iter()
            .flatten()
            .filter_map(|&id| pickle.int(id))
            .fold(0, i64::wrapping_add);
        let array = entry("data").and_then(|id| pickle.array(id));
        array.is_none_or(|array| array.bytes.len() as i64 != sum)
    });
    assert!(survivors > 0.01, "{survivors}");
}
