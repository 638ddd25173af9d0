use std::fs;

use super::*;

const COLUMNS: &[(&str, Kind)] = &[
    ("norms", Kind::Numbers),
    ("features", Kind::Vectors),
    ("masks", Kind::Bytes),
];

fn values() -> Vec<Column> {
    vec![
        Column::Numbers(vec![1.5, 2.5]),
        Column::Vectors {
            width: 3,
            values: vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
        },
        Column::Bytes {
            shape: [1, 1, 2],
            values: vec![1, 2, 3, 4],
        },
    ]
}

fn parts(folder: &Path, identity: &str) -> Parts<'static> {
    Parts::new(folder.to_owned(), identity.to_owned(), COLUMNS)
}

#[test]
fn parts_come_back_and_foreign_ones_are_refused() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let ours = parts(folder.path(), r#"a {"steps":3}"#);
    let range = 64..66;
    assert!(ours.find(&range).expect("readable").is_none());
    ours.write(&range, &values()).expect("written");
    let part = ours.find(&range).expect("readable").expect("there");
    for (number, (expected, (_, kind))) in values().into_iter().zip(COLUMNS).enumerate() {
        assert_eq!(part.read(number, *kind).expect("readable"), expected);
    }
    let other = parts(folder.path(), "b").find(&range);
    assert!(matches!(other, Err(DetectError::OtherRun { .. })));
    let longer = ours.find(&(64..67)).expect_err("three images").to_string();
    assert!(longer.contains("no `norms` of 3 images"), "{longer}");
    let columns = &[("scores", Kind::Numbers)];
    let other = Parts::new(folder.path().to_owned(), r#"a {"steps":3}"#.into(), columns);
    let error = other.find(&range).expect_err("no scores").to_string();
    assert!(error.contains("no `scores`"), "{error}");
}

#[test]
fn damaged_ones_are_named() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let parts = parts(folder.path(), "a");
    parts.write(&(0..2), &values()).expect("written");
    let path = path(folder.path(), 0);
    let whole = fs::read(&path).expect("readable");
    let other_shape = String::from_utf8_lossy(&whole[8..200]).replace("[2,3]", "[2,9]");
    let damages: [Vec<u8>; 6] = [
        Vec::new(),
        vec![255; 40],
        whole[..whole.len() - 1].to_vec(),
        [&whole[..], &[0]].concat(),
        [&whole[..8], &vec![b'{'; whole.len() - 8]].concat(),
        [&whole[..8], other_shape.as_bytes(), &whole[200..]].concat(),
    ];
    for damage in damages {
        fs::write(&path, damage).expect("written");
        let error = parts.find(&(0..2)).expect_err("damaged");
        assert!(matches!(error, DetectError::DamagedPart { .. }), "{error}");
        assert!(error.to_string().contains("part-00000000"), "{error}");
    }
}

#[test]
fn ranges_cover_the_set_once() {
    assert_eq!(ranges(130), [0..64, 64..128, 128..130]);
    assert!(ranges(0).is_empty());
}
