//! Tables as scripts and spreadsheets write them.

use std::fs;

use super::*;

fn read(bytes: &[u8]) -> Result<Table<2>, TableError> {
    let folder = tempfile::tempdir().expect("scratch");
    let path = folder.path().join("truth.csv");
    fs::write(&path, bytes).expect("writes");
    Table::read(&path, ["file", "poisoned"])
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    "\u{feff}"
        .encode_utf16()
        .chain(text.encode_utf16())
        .flat_map(unit)
        .collect()
}

#[test]
fn every_way_to_write_a_table_gives_the_same_rows() {
    let plain = "file,poisoned\na.png,True\n\"b, c.png\",False\n";
    let expected = read(plain.as_bytes()).expect("plain");
    assert_eq!(expected.rows()[1].fields, ["b, c.png", "False"]);
    assert_eq!([expected.rows()[0].line, expected.rows()[1].line], [2, 3]);
    let variants = [
        plain.replace('\n', "\r\n").into_bytes(),
        plain.replace('\n', "\r").into_bytes(),
        format!("\u{feff}{plain}").into_bytes(),
        b"File ; POISONED\na.png;True\n\"b, c.png\";False\n".to_vec(),
        b"file\tpoisoned\na.png\tTrue\nb, c.png\tFalse\n".to_vec(),
        b",poisoned,file\n0,True,a.png\n1,False,\"b, c.png\"\n".to_vec(),
        b"index;score;poisoned;file\n0;0,5;True;a.png\n1;0,1;False;b, c.png".to_vec(),
        utf16(plain, u16::to_le_bytes),
        utf16(&plain.replace('\n', "\r\n"), u16::to_be_bytes),
    ];
    for variant in variants {
        let table = read(&variant).expect("a table");
        assert_eq!(
            table.rows(),
            expected.rows(),
            "{}",
            String::from_utf8_lossy(&variant)
        );
    }
    let announced = read(b"sep=;\r\nfile;poisoned\r\na.png;True\r\n").expect("a table");
    assert_eq!(announced.rows()[0].line, 3);
}

#[test]
fn truth_values_of_scripts_and_spreadsheets_are_understood() {
    let table =
        read(b"file,poisoned\na, True\nb,TRUE \nc,1\nd,yes\ne,1.0\nf,WAHR").expect("a table");
    let truth = |row| table.truth(row, 1, "poisoned").expect("a truth value");
    assert!(table.rows().iter().all(truth));
    let table =
        read(b"file,poisoned\na,False\nb,FALSE\nc,0\nd,No\ne,0.0\nf,FALSCH").expect("a table");
    let truth = |row| table.truth(row, 1, "poisoned").expect("a truth value");
    assert!(!table.rows().iter().any(truth));
    let table = read(b"file,poisoned\r\na,true\r\n\r\nb,maybe\r\n").expect("a table");
    let error = table
        .truth(&table.rows()[1], 1, "poisoned")
        .expect_err("neither");
    let message = error.to_string();
    assert!(
        message.contains("truth.csv: line 4: `poisoned` is `maybe`, expected true or false"),
        "{message}"
    );
}

#[test]
fn numbers_may_have_a_decimal_comma_between_semicolons() {
    let table = read(b"file;poisoned\na;0,25\nb;1e-3\nc;NaN").expect("a table");
    let number = |row: usize| table.number(&table.rows()[row], 1, "score");
    assert_eq!(
        [number(0).expect("a number"), number(1).expect("a number")],
        [0.25, 1e-3]
    );
    assert!(
        number(2)
            .expect_err("not finite")
            .to_string()
            .contains("line 4: `score` is `NaN`")
    );
}

#[test]
fn line_breaks_and_quotes_inside_of_names_are_kept() {
    let table = read(b"file,poisoned\r\n\"a\nb \"\"c\"\".png\",1\r\nd,x\r\n").expect("a table");
    assert_eq!(table.rows()[0].fields[0], "a\nb \"c\".png");
    assert_eq!(table.rows()[1].line, 4);
}

#[test]
fn what_is_no_such_table_is_said() {
    for (bytes, part) in [
        (
            &b""[..],
            "the first line is ``, expected the columns `file`, `poisoned`",
        ),
        (b"name,class\na,b", "the first line is `name,class`"),
        (
            b"file,poisoned,file\na,b,c",
            "the first line is `file,poisoned,file`",
        ),
        (
            b"file,poisoned\r\na,1\r\nb,1,2\r\n",
            "line 3: 3 fields, but the first line has 2",
        ),
        (b"file,poisoned\n\xe4.png,1", "byte 14"),
        (b"\xff\xfef", "UTF-16"),
        (b"\xff\xfe\x00\xd8a\x00", "UTF-16"),
    ] {
        let message = read(bytes).expect_err("no table").to_string();
        assert!(message.contains(part), "{message}");
    }
    let folder = tempfile::tempdir().expect("scratch");
    let error = Table::read(folder.path(), ["file"]).expect_err("a folder");
    assert!(matches!(error, TableError::Io { .. }), "{error}");
}

#[test]
fn damaged_tables_never_panic() {
    let plain = "file,poisoned\na.png,True\n\"b, c.png\",False\n";
    let bases = [
        plain.as_bytes().to_vec(),
        utf16(plain, u16::to_le_bytes),
        b"sep=;\r\nindex;score;poisoned;file\r\n0;0,5;True;a.png\r\n".to_vec(),
    ];
    let survivors = crate::testing::mutations(&bases, |bytes| {
        let table = Table::parse(Path::new("x"), bytes.to_vec(), ["file", "poisoned"]);
        let used = |table: &Table<2>| {
            let rows = table.rows().iter();
            let truths = rows.clone().filter(|row| table.truth(row, 1, "x").is_ok());
            let numbers = rows.filter(|row| table.number(row, 0, "x").is_ok());
            truths.count() + numbers.count()
        };
        table.is_ok_and(|table| used(&table) > 0)
    });
    assert!(survivors > 0.01, "{survivors}");
}
