//! What a misspelt word was probably meant to be.

/// The candidate nearest to `word`, when it is near enough to be worth a suggestion.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |candidate: &str| strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase());
    let near_enough = 1.max(word.chars().count() / 3);
    let scored = candidates.into_iter().map(|candidate| (distance(candidate), candidate));
    scored.filter(|(distance, _)| *distance <= near_enough).min_by_key(|(distance, _)| *distance).map(|(_, near)| near)
}

/// What other tools call it, and what it is called here.
const OTHER_WORDS: [(&str, &str); 40] = [
    ("assert", "expect"),
    ("check", "expect"),
    ("validate", "expect"),
    ("status", "expect"),
    ("body", "json"),
    ("data", "json"),
    ("payload", "json"),
    ("graphql", "json"),
    ("method", "request"),
    ("path", "request"),
    ("uri", "request"),
    ("url", "request"),
    ("params", "query"),
    ("timeout", "within"),
    ("delay", "pause"),
    ("sleep", "pause"),
    ("wait", "pause"),
    ("poll", "until"),
    ("retry", "until"),
    ("retries", "until"),
    ("extract", "capture"),
    ("save", "capture"),
    ("store", "capture"),
    ("loop", "repeat"),
    ("times", "repeat"),
    ("for_each", "each"),
    ("foreach", "each"),
    ("with_items", "each"),
    ("if", "when"),
    ("only", "when"),
    ("ws", "websocket"),
    ("eventsource", "sse"),
    ("event_stream", "sse"),
    ("name", "id"),
    ("base_url", "url"),
    ("host", "url"),
    ("authentication", "auth"),
    ("login", "auth"),
    ("secrets", "canaries"),
    ("scenarios", "flows"),
];

/// The candidate that other tools call `word`.
pub(crate) fn synonym<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let (_, ours) = OTHER_WORDS.iter().find(|(theirs, _)| *theirs == word)?;
    candidates.into_iter().find(|candidate| candidate == ours)
}

/// ``did you mean `x`?`` or else what there is to choose from.
pub(crate) fn help<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let near = synonym(word, candidates.iter().copied()).or_else(|| nearest(word, candidates.iter().copied()));
    if let Some(near) = near {
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
    fn the_word_of_another_tool_is_known_where_ours_is_among_the_candidates() {
        assert_eq!(help("timeout", ["id", "within"]).unwrap(), "did you mean `within`?");
        assert_eq!(help("timeout", ["on", "off"]).unwrap(), "there is `on` and `off`");
    }

    #[test]
    fn without_a_near_word_the_choice_is_listed() {
        assert_eq!(help("banana", ["on", "off"]).unwrap(), "there is `on` and `off`");
        assert_eq!(help("banana", []), None);
    }
}
