//! Shares of right verdicts, and which were wrong.

use std::fmt::Write as _;

use cd_detect::Standing;
use cd_eval::metrics::roc_auc;

use super::case::Sets;
use super::record::{Planted, Record};

/// The page on `records` of `wanted` sets.
pub(super) fn page(sets: &Sets, records: &[Record], wanted: usize) -> String {
    let (clean, poisoned): (Vec<&Record>, Vec<&Record>) =
        records.iter().partition(|record| record.is_clean());
    let mut page = format!("# {}\n\n{}\n\n", sets.title, sets.note.trim());
    if records.len() < wanted {
        line(
            &mut page,
            &format!("{} of {wanted} sets are scanned.\n", records.len()),
        );
    }
    line(
        &mut page,
        "| sets | scanned | right | share |\n|---|---|---|---|",
    );
    let right = |records: &[&Record]| records.iter().filter(|one| one.is_right()).count();
    let mut row = |name: &str, records: &[&Record]| {
        if records.is_empty() {
            return;
        }
        let share = right(records) as f64 / records.len() as f64;
        let text = format!(
            "| {name} | {} | {} | {share:.3} |",
            records.len(),
            right(records)
        );
        line(&mut page, &text);
    };
    row("clean", &clean);
    for source in &sets.sources {
        let of = |records: &[&'_ Record]| -> Vec<usize> {
            (0..records.len())
                .filter(|&at| records[at].source == source.name)
                .collect()
        };
        let own: Vec<&Record> = of(&clean).into_iter().map(|at| clean[at]).collect();
        row(&format!("clean, {}", source.name), &own);
    }
    row("poisoned", &poisoned);
    for (name, found) in [
        ("poisoned, the canary of the kind found", Planted::Found),
        (
            "poisoned, fewer images than the canary that was found",
            Planted::FoundInMore,
        ),
        ("poisoned, the canary of the kind missed", Planted::Missed),
        ("poisoned, of no planted kind", Planted::Other),
    ] {
        let own: Vec<&Record> = poisoned
            .iter()
            .copied()
            .filter(|one| one.planted() == found)
            .collect();
        row(name, &own);
    }
    figures(&mut page, &clean, &poisoned);
    failures(&mut page, records);
    page
}

fn figures(page: &mut String, clean: &[&Record], poisoned: &[&Record]) {
    let silent = poisoned.iter().filter(|one| {
        one.verdict.standing == Standing::Clean
            && one.planted() != Planted::Found
            && !one.is_warned()
    });
    line(
        page,
        &format!(
            "\nCalled clean without the warning that this kind may go unseen: {}.",
            silent.count()
        ),
    );
    let mean = |records: &[&Record], of: fn(&Record) -> f64| {
        records.iter().fold(0.0, |sum, one| sum + of(one)) / records.len().max(1) as f64
    };
    line(
        page,
        &format!(
            "Images flagged in clean sets: {:.4} in the mean. Images flagged in poisoned sets: {:.3} of the poisoned, {:.4} of the others. \
             Seconds of a set: {:.0}.",
            mean(clean, |one| one.false_positives),
            mean(poisoned, |one| one.true_positives.unwrap_or(0.0)),
            mean(poisoned, |one| one.false_positives),
            mean(&[clean, poisoned].concat(), |one| one.seconds)
        ),
    );
    if clean.is_empty() || poisoned.is_empty() {
        return;
    }
    let all = [poisoned, clean].concat();
    let truth: Vec<bool> = all.iter().map(|one| !one.is_clean()).collect();
    let gaps: Vec<f64> = all.iter().map(|one| one.gap()).collect();
    let area = roc_auc(&truth, &gaps).expect("there are sets of both kinds, and gaps are finite");
    line(
        page,
        &format!(
            "The largest gap of a class, as a share of its border, tells poisoned from clean sets with an AUROC of {area:.3} alone:\n"
        ),
    );
    line(
        page,
        "| largest gap, in borders | clean sets above | poisoned sets above |\n|---|---|---|",
    );
    for border in [0.6, 0.7, 0.75, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0] {
        let above = |records: &[&Record]| {
            let count = records.iter().filter(|one| one.gap() >= border).count();
            count as f64 / records.len() as f64
        };
        line(
            page,
            &format!(
                "| {border} | {:.3} | {:.3} |",
                above(clean),
                above(poisoned)
            ),
        );
    }
}

fn failures(page: &mut String, records: &[Record]) {
    let wrong: Vec<&Record> = records.iter().filter(|one| !one.is_right()).collect();
    if wrong.is_empty() {
        return;
    }
    line(
        page,
        "\nWrong verdicts:\n\n| set | verdict | classes | largest gap, in borders | canary of the kind |\n|---|---|---|---|---|",
    );
    for one in wrong {
        let classes: Vec<String> = one
            .verdict
            .classes
            .iter()
            .map(|class| class.class.to_string())
            .collect();
        let canary = match one.planted() {
            Planted::Found => "found",
            Planted::FoundInMore => "found, in more images",
            Planted::Missed => "missed",
            Planted::Other => "none",
        };
        let text = format!(
            "| {} | {:?} | {} | {:.2} | {canary} |",
            one.name,
            one.verdict.standing,
            classes.join(", "),
            one.gap()
        );
        line(page, &text);
    }
}

fn line(page: &mut String, text: &str) {
    writeln!(page, "{text}").expect("writing to a string cannot fail");
}
