//! Nearest valid names for error messages.

/// The candidate closest to `name`, if one is close enough to be a typing slip.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The end of an error message about an unknown name: a guess where there is one, and all names.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let all = known.join(", ");
    match nearest(name, known) {
        Some(nearest) => format!("did you mean `{nearest}`? Known: {all}"),
        None => format!("known: {all}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        assert_eq!(nearest("badnet", ["blend", "badnets"]), Some("badnets"));
        assert_eq!(nearest("xyzzy", ["blend", "badnets"]), None);
    }
}
