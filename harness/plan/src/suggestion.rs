//! What a misspelt word was probably meant to be.

/// The candidate nearest to `word`, when it is near enough to be worth a suggestion.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |candidate: &str| strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase());
    let near_enough = 1.max(word.chars().count() / 3);
    let scored = candidates.into_iter().map(|candidate| (distance(candidate), candidate));
    scored.filter(|(distance, _)| *distance <= near_enough).min_by_key(|(distance, _)| *distance).map(|(_, near)| near)
}

/// ``did you mean `x`?`` or else what there is to choose from.
pub(crate) fn help<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    if let Some(near) = nearest(word, candidates.iter().copied()) {
        return Some(did_you_mean(near));
    }
    (!candidates.is_empty()).then(|| format!("there is {}", listed(&candidates)))
}

/// The question that goes with a suggestion.
pub(crate) fn did_you_mean(word: &str) -> String {
    format!("did you mean `{word}`?")
}

const LISTED_MAX: usize = 24;

/// `` `a`, `b` and `c` ``, cut when it is long.
pub(crate) fn listed(words: &[&str]) -> String {
    let shown: Vec<String> = words.iter().take(LISTED_MAX).map(|word| format!("`{word}`")).collect();
    match shown.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some(_) if words.len() > LISTED_MAX => format!("{} and {} more", shown.join(", "), words.len() - LISTED_MAX),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_is_not() {
        assert_eq!(nearest("capure", ["capture", "expect"]), Some("capture"));
        assert_eq!(nearest("Json", ["json"]), Some("json"));
        assert_eq!(nearest("banana", ["capture", "expect"]), None);
    }

    #[test]
    fn without_a_near_word_the_choice_is_listed() {
        assert_eq!(help("banana", ["on", "off"]).unwrap(), "there is `on` and `off`");
        assert_eq!(help("banana", []), None);
    }
}
