//! Puts names in the places of secrets, before anything is shown.

use coalmine_canary::{Detector, Found, Minter};
use coalmine_core::template::percent_encode;
use coalmine_core::{Plan, fit};
use serde_json::Value;

/// Captured values that are shorter are ids or words, and are shown.
const LETTERS_MIN: usize = 6;
/// Header fields that hold credentials, wherever their values come from.
const CREDENTIALS: [&str; 5] = ["authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"];

/// What is known to be secret.
#[derive(Debug, Default)]
pub(super) struct Mask {
    /// None where all is shown.
    detector: Option<Detector>,
    /// Values and what stands in their places, the longest first.
    known: Vec<(String, String)>,
}

impl Mask {
    /// Hides nothing.
    pub(super) fn open() -> Self {
        Self::default()
    }

    /// Hides canaries, passwords, and these secrets by their names.
    pub(super) fn of(plan: &Plan, secrets: &[(String, String)]) -> Self {
        let detector = Detector::new(&plan.seed.run_key());
        let mut mask = Self { detector: Some(detector), known: vec![] };
        let minter = Minter::new(&plan.seed.run_key());
        for (id, spec) in plan.canaries() {
            if let Ok(canary) = fit::mint(&minter, id, spec.fit.as_ref()) {
                mask.hide(canary.expose(), format!("<canary {}>", spec.name));
            }
        }
        let password = plan.attributes.iter().position(|name| name == "user.password");
        let passwords = plan.principals.iter().filter_map(|principal| principal.attributes.get(password?));
        passwords.for_each(|value| mask.learn("password", value));
        for (name, value) in secrets {
            mask.learn(name, value);
        }
        mask
    }

    /// From now on the value is hidden, and each text in it.
    pub(super) fn learn_value(&mut self, name: &str, value: &Value) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Array(items) => items.iter().for_each(|item| self.learn_value(name, item)),
            Value::Object(fields) => fields.values().for_each(|field| self.learn_value(name, field)),
            Value::String(text) => self.learn(name, text),
            Value::Number(number) => self.learn(name, &number.to_string()),
        }
    }

    fn learn(&mut self, name: &str, value: &str) {
        let letters = value.chars().count();
        if letters >= LETTERS_MIN {
            self.hide(value, format!("<{name}: {letters} letters>"));
        }
    }

    fn hide(&mut self, value: &str, label: String) {
        if self.detector.is_none() || value.is_empty() {
            return;
        }
        let json = Value::from(value).to_string();
        for form in [value.to_owned(), json.trim_matches('"').to_owned(), percent_encode(value)] {
            let place = self.known.partition_point(|(known, _)| known.len() > form.len());
            if self.known.iter().all(|(known, _)| *known != form) {
                self.known.insert(place, (form, label.clone()));
            }
        }
    }

    /// The text as it may be shown.
    pub(super) fn text(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for (value, label) in &self.known {
            if shown.contains(value.as_str()) {
                shown = shown.replace(value.as_str(), label);
            }
        }
        self.without_encoded(shown)
    }

    /// A header field as it may be shown.
    pub(super) fn field(&self, name: &str, value: &str) -> String {
        let shown = self.text(value);
        if self.detector.is_none() || !CREDENTIALS.contains(&name.to_ascii_lowercase().as_str()) {
            return shown;
        }
        if name.eq_ignore_ascii_case("cookie") {
            return shown.split("; ").map(credential).collect::<Vec<_>>().join("; ");
        }
        credential(&shown)
    }

    /// Canaries that are wrapped in an encoding.
    fn without_encoded(&self, mut shown: String) -> String {
        let sightings = self.detector.as_ref().map(|detector| detector.scan(shown.as_bytes())).unwrap_or_default();
        let mut canaries: Vec<_> = sightings.iter().filter(|it| matches!(it.found, Found::Canary { .. })).collect();
        canaries.sort_by_key(|sighting| std::cmp::Reverse(sighting.offset));
        let mut replaced = usize::MAX;
        for sighting in canaries {
            let start = usize::try_from(sighting.offset).unwrap_or(usize::MAX);
            let range = start..start.saturating_add(sighting.len as usize);
            if range.end <= replaced && shown.get(range.clone()).is_some() {
                replaced = start;
                let forms: Vec<String> = sighting.encodings.iter().map(ToString::to_string).collect();
                shown.replace_range(range, &format!("<canary in {}>", forms.join(" in ")));
            }
        }
        shown
    }
}

/// The scheme, or the cookie's name, says what kind of credential it is.
fn credential(shown: &str) -> String {
    if shown.contains('<') {
        return shown.to_owned();
    }
    let (kind, secret) = shown.split_at(shown.find([' ', '=']).map_or(0, |at| at + 1));
    format!("{kind}<{} letters>", secret.chars().count())
}

#[cfg(test)]
mod tests {
    use coalmine_core::Seed;
    use serde_json::json;

    use super::*;

    fn mask() -> Mask {
        Mask { detector: Some(Detector::new(&Seed(1).run_key())), known: vec![] }
    }

    #[test]
    fn the_longest_secret_is_hidden_first_in_each_way_of_writing() {
        let mut mask = mask();
        mask.learn_value("part", &json!("secret/1"));
        mask.learn_value("whole", &json!(["secret/1-and-more", 12]));
        assert_eq!(mask.text("secret/1-and-more secret/1"), "<whole: 17 letters> <part: 8 letters>");
        assert_eq!(mask.text("/x?k=secret%2F1&n=12"), "/x?k=<part: 8 letters>&n=12");
    }

    #[test]
    fn credentials_that_nobody_captured_are_hidden_too() {
        let mask = mask();
        assert_eq!(mask.field("Set-Cookie", "sid=abc; Path=/"), "sid=<11 letters>");
        assert_eq!(mask.field("authorization", "Basic dTpw"), "Basic <4 letters>");
        assert_eq!(mask.field("cookie", "a=b; sid=<token: 9 letters>"), "a=<1 letters>; sid=<token: 9 letters>");
        assert_eq!(mask.field("accept", "text/html"), "text/html");
    }

    #[test]
    fn an_open_mask_hides_nothing() {
        let mut mask = Mask::open();
        mask.learn_value("token", &json!("0123456789"));
        assert_eq!(mask.field("authorization", "Bearer 0123456789"), "Bearer 0123456789");
    }
}
