//! One row for every picture, as tools for data sets import it.

use std::io::{self, Write};

use super::{Findings, ImageFinding};

/// The columns.
pub(super) const COLUMNS: [&str; 4] = ["filepath", "label", "score", "tags"];

/// The tags of a picture: `flagged` when it is, then `new` or `known` after a comparison, and `flagged:DETECTOR` for each detector
/// that flags it.
pub(super) fn tags(image: &ImageFinding) -> Vec<String> {
    let mut tags = Vec::new();
    if image.flagged {
        tags.push("flagged".to_owned());
    }
    if let Some(new) = image.new {
        tags.push(if new { "new" } else { "known" }.to_owned());
    }
    let by = image.flagged_by.iter();
    tags.extend(by.map(|detector| format!("flagged:{detector}")));
    tags
}

/// The place of a picture as text.
pub(super) fn filepath(image: &ImageFinding) -> String {
    image.filepath.to_string_lossy().into_owned()
}

/// Writes the table as CSV.
pub(super) fn write(file: &mut dyn Write, findings: &Findings) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(file);
    writer.write_record(COLUMNS)?;
    for image in &findings.images {
        let row = [
            filepath(image),
            image.label.clone(),
            image.score.to_string(),
            tags(image).join(","),
        ];
        writer.write_record(&row)?;
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::super::testing::findings;
    use super::*;

    #[test]
    fn rows_hold_every_picture_and_survive_commas() {
        let mut all = findings(None);
        all.images[0].new = Some(true);
        let mut bytes = Vec::new();
        write(&mut bytes, &all).expect("in memory");
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        assert_eq!(reader.headers().expect("a heading"), &COLUMNS[..]);
        let rows: Vec<csv::StringRecord> =
            reader.records().map(|row| row.expect("a row")).collect();
        assert_eq!(rows.len(), 4);
        assert!(rows[0][0].ends_with("a, \"1\".png"));
        assert_eq!(&rows[0][3], "flagged,new,flagged:cascade");
        assert_eq!((&rows[3][1], &rows[3][2], &rows[3][3]), ("dog", "0.1", ""));
    }
}
