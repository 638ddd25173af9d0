//! Damaged batches of both versions by the thousand.

use super::python;
use super::records::{Batches, RECORD_LEN, default_class_names, parse_class_names};
use crate::dataset::stored::Stored;
use crate::testing::mutations;

fn binary(count: u8) -> Vec<u8> {
    let record = |label: u8| std::iter::once(label).chain([label * 20; RECORD_LEN - 1]);
    (0..count).flat_map(record).collect()
}

/// Two pictures as Python 2 pickles them with protocol 2.
fn pickled() -> Vec<u8> {
    let mut bytes = b"\x80\x02}(U\x06labels](K\x03K\x07eU\x0bbatch_labelU\x01xU\x04datacnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR(K\x01K\x02M\x00\x0c\x86".to_vec();
    bytes.extend(b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR\x89T\x00\x18\x00\x00");
    bytes.extend(vec![9; 2 * (RECORD_LEN - 1)]);
    bytes.extend(b"tbu.");
    bytes
}

#[test]
fn damaged_records_never_panic() {
    let names = b"airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n".to_vec();
    let survivors = mutations(&[binary(2), names], |bytes| {
        let name = "x".to_owned();
        let stored = Stored::copied(std::path::Path::new("x"), &mut &*bytes).expect("room");
        let batches = Batches {
            class_names: default_class_names(),
            batches: vec![(name, stored)],
        };
        batches.into_sets().is_ok() | parse_class_names("x", bytes).is_ok()
    });
    assert!(survivors > 0.01, "{survivors}");
}

#[test]
fn damaged_pickles_never_panic() {
    let good = pickled();
    assert_eq!(
        python::records("x", &good).expect("good").len(),
        2 * RECORD_LEN
    );
    let meta = b"\x80\x02}U\x0blabel_names](U\x08airplaneU\nautomobilees.".to_vec();
    assert_eq!(python::class_names("x", &meta).expect("good").len(), 10);
    let survivors = mutations(&[good, meta], |bytes| {
        python::records("x", bytes).is_ok() | python::class_names("x", bytes).is_ok()
    });
    assert!(survivors > 0.01, "{survivors}");
}
