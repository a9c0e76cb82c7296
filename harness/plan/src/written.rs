//! A tree written as YAML again: what fits into a line stands in one, the rest is indented.

use crate::node::{Kind, Node, Word};

/// Lists and maps that are no longer than this stand in one line.
const LINE_MAX: usize = 130;

/// The text of a tree, each line indented so far.
pub(crate) fn written(node: &Node, indent: usize) -> String {
    let mut out = String::new();
    block(node, indent, &mut out);
    out
}

fn block(node: &Node, indent: usize, out: &mut String) {
    match &node.kind {
        Kind::Map(entries) if !entries.is_empty() => {
            for (nth, (key, value)) in entries.iter().enumerate() {
                if nth > 0 || out.ends_with('\n') || out.is_empty() {
                    out.push_str(&" ".repeat(indent));
                }
                out.push_str(&scalar(key));
                out.push(':');
                below(value, indent + 2, out);
            }
        }
        Kind::List(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&" ".repeat(indent));
                out.push('-');
                let line = flow(item);
                if fits(item, &line, indent + 2) {
                    push(out, &[" ", &line, "\n"]);
                } else if matches!(item.kind, Kind::Map(_)) {
                    out.push(' ');
                    block(item, indent + 2, out);
                } else {
                    out.push('\n');
                    block(item, indent + 2, out);
                }
            }
        }
        _ => push(out, &[&" ".repeat(indent), &flow(node), "\n"]),
    }
}

fn push(out: &mut String, parts: &[&str]) {
    for part in parts {
        out.push_str(part);
    }
}

/// What stands behind a key.
fn below(value: &Node, indent: usize, out: &mut String) {
    let line = flow(value);
    if fits(value, &line, indent) {
        push(out, &[" ", &line, "\n"]);
    } else {
        out.push('\n');
        block(value, indent, out);
    }
}

fn fits(node: &Node, line: &str, indent: usize) -> bool {
    let is_leaf = |node: &Node| matches!(node.kind, Kind::Scalar { .. } | Kind::Broken);
    // A map of maps is easier to read as lines, unless it is the content of something.
    is_leaf(node) || line.len() + indent <= LINE_MAX
}

fn flow(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar { .. } => scalar(node),
        Kind::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Kind::Map(entries) => {
            let entry = |(key, value): &(Node, Node)| format!("{}: {}", scalar(key), flow(value));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Kind::Broken => "~".to_owned(),
    }
}

/// As it was where it says the same without quotes, else in double quotes, of which JSON's are a part.
fn scalar(node: &Node) -> String {
    let Kind::Scalar { text, plain } = &node.kind else { return String::new() };
    let as_plain = Node { kind: Kind::Scalar { text: text.clone(), plain: true }, ..node.clone() };
    match (plain, as_plain.word()) {
        (true, Some(Word::Null)) => "~".to_owned(),
        (_, Some(Word::Text(_))) if is_plain(text) => text.clone(),
        (true, Some(word)) if !matches!(word, Word::Text(_)) => text.clone(),
        _ => serde_json::Value::from(text.as_str()).to_string(),
    }
}

/// Whether it is text without quotes wherever it stands.
fn is_plain(text: &str) -> bool {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./$+=()".contains(&byte);
    let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_/$.".contains(&byte));
    begins && text != "..." && text.bytes().all(|byte| is_safe(byte) || byte == b' ') && !text.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node;
    use crate::problem::Problems;
    use crate::source::Sources;

    fn read(text: &str) -> Node {
        let sources = Sources::single(text, "");
        node::read(&Problems::of(&sources), 0, &mut 0).unwrap()
    }

    #[test]
    fn what_is_written_reads_as_what_it_was() {
        let text = "a: 1\nb: {c: \"{{x}}\", d: [1, ~, 'NO', \"1\", yes: no]}\ne:\n  - f: \"line\\nbreak\"\n    g: [[], {}]\n  - - deep\n    - \"# no comment\"\n  - -7\n";
        let long = format!("{text}h: [{}]\n", ["{k: \"a: b\", l: [x, y]}"; 12].join(", "));
        for text in [text, &long] {
            let tree = read(text);
            let again = written(&tree, 0);
            assert_eq!(written(&read(&again), 0), again);
            assert_eq!(flow(&read(&again)), flow(&tree), "{again}");
        }
    }
}
