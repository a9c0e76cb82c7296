//! Bodies of several parts.

use coalmine_core::step::{Part, PartContent};
use coalmine_core::template::Template;

use super::Compiler;
use crate::document::{Either, Entries, FieldText, PartText};
use crate::span::Spanned;

const CELLS_MAX: usize = 10_000;

impl Compiler<'_> {
    pub(super) fn multipart(&mut self, written: &Entries<FieldText>) -> Vec<Part> {
        let mut parts = vec![];
        for (name, part) in &written.0 {
            self.check_in_quotes(name);
            let name_text = name.value.clone();
            let part = match part {
                Either::Short(text) => {
                    let content = PartContent::Text(self.template(text));
                    Part { name: name_text, file: None, media_type: None, content }
                }
                Either::Long(long) => self.part(name, long),
            };
            parts.push(part);
        }
        parts
    }

    fn part(&mut self, name: &Spanned<String>, part: &PartText) -> Part {
        for text in part.file.iter().chain(&part.media_type) {
            self.check_in_quotes(text);
        }
        let contents = [part.text.is_some(), part.binary.is_some(), part.csv.is_some(), part.xlsx.is_some()];
        if contents.into_iter().filter(|is_there| *is_there).count() != 1 {
            let help = "take one of `text`, `binary`, `csv` and `xlsx`".to_owned();
            self.problems.absent(name.span, format!("the part `{}` has one content", name.value), Some(help));
        }
        let content = match (&part.text, &part.csv, &part.xlsx) {
            (_, Some(rows), _) => PartContent::Csv(self.rows(rows)),
            (_, _, Some(rows)) => PartContent::Xlsx(self.rows(rows)),
            (Some(text), ..) => PartContent::Text(self.template(text)),
            _ => part.binary.as_ref().map_or(PartContent::Text(Template::default()), |it| self.binary_part(it)),
        };
        let file = part.file.as_ref().map(|file| file.value.clone());
        Part {
            name: name.value.clone(),
            file,
            media_type: part.media_type.as_ref().map(|it| it.value.clone()),
            content,
        }
    }

    fn rows(&mut self, rows: &Spanned<Vec<Vec<Spanned<String>>>>) -> Vec<Vec<Template>> {
        if rows.value.iter().map(Vec::len).sum::<usize>() > CELLS_MAX {
            self.problems.add(rows.span, format!("a table has {CELLS_MAX} cells at most"), None);
        }
        rows.value.iter().map(|row| row.iter().map(|cell| self.template(cell)).collect()).collect()
    }

    /// Names of parts and files stand in a header, between quotes.
    fn check_in_quotes(&self, text: &Spanned<String>) {
        if self.fixed(text).chars().any(|letter| letter.is_control() || "\"\\".contains(letter)) {
            self.problems.add(text.span, "no quote, backslash or control character can stand here", None);
        }
    }
}
