//! The language as a JSON Schema, for editors, and as a reference for people. Both come from the types that read it, and from
//! their comments.

use std::borrow::Cow;
use std::fmt::Write;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::document::{Content, Document, Either, Entries};
use crate::span::Spanned;

/// The JSON Schema (2020-12) of a scenario.
pub fn schema() -> Value {
    let generator = SchemaGenerator::new(SchemaSettings::draft2020_12());
    let mut schema = generator.into_root_schema_for::<Document>().to_value();
    say_as_yaml(&mut schema);
    let root = schema.as_object_mut().expect("the schema of a struct is an object");
    root.insert("title".to_owned(), json!("Coalmine scenario"));
    // Flows may stand in an included file.
    root.insert("required".to_owned(), json!(["coalmine", "name"]));
    schema
}

/// Changes a schema of JSON into one of what this language accepts: text may be written without quotes, so that it looks like
/// a number; nothing is null; and no key is unknown.
fn say_as_yaml(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(say_as_yaml),
        Value::Object(map) => {
            no_null(map);
            if map.get("type") == Some(&json!("string")) && !map.contains_key("enum") && !map.contains_key("const") {
                map.insert("type".to_owned(), json!(["string", "number", "boolean"]));
            }
            // Of the keys of a map, one is called `properties` as well.
            if map.contains_key("properties") && map.get("type") == Some(&json!("object")) {
                map.insert("additionalProperties".to_owned(), json!(false));
            }
            map.values_mut().for_each(say_as_yaml);
        }
        _ => {}
    }
}

fn no_null(map: &mut Map<String, Value>) {
    // The keys of a map may be called so as well; only there is every value a schema.
    if !map.values().all(Value::is_object) {
        for word in ["default", "format"] {
            map.remove(word);
        }
    }
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            map.insert("type".to_owned(), only);
        }
    }
    let Some(Value::Array(choices)) = map.get_mut("anyOf") else { return };
    choices.retain(|choice| choice.get("type") != Some(&json!("null")));
    if let [Value::Object(only)] = choices.as_slice() {
        let only = only.clone();
        map.remove("anyOf");
        map.extend(only.into_iter().filter(|(key, _)| key != "description"));
    }
}

/// The language in Markdown: what this crate's documentation says about it, and then every key by its type.
pub fn reference() -> String {
    let mut page = String::new();
    let lines = include_str!("lib.rs").lines().map_while(|line| line.strip_prefix("//!"));
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line));
    for line in lines.skip_while(|line| *line != "# The language") {
        // The page has a title of its own above it.
        let deeper = if line.starts_with("# ") { "#" } else { "" };
        writeln!(page, "{deeper}{line}").expect("writing to memory does not fail");
    }
    page.push_str("\n## Every key\n");
    let schema = schema();
    table(&mut page, "a scenario", &schema, &schema["$defs"]);
    for (name, definition) in schema["$defs"].as_object().into_iter().flatten() {
        if definition.get("properties").is_some() {
            table(&mut page, &spoken(name), definition, &schema["$defs"]);
        }
    }
    page
}

fn table(page: &mut String, name: &str, definition: &Value, definitions: &Value) {
    write!(page, "\n### {name}\n\n").expect("writing to memory does not fail");
    if let Some(about) = definition["description"].as_str() {
        write!(page, "{}\n\n", one_line(about)).expect("writing to memory does not fail");
    }
    page.push_str("| key | value | meaning |\n| --- | --- | --- |\n");
    let required = |key: &String| definition["required"].as_array().is_some_and(|all| all.contains(&json!(key)));
    for (key, value) in definition["properties"].as_object().into_iter().flatten() {
        let about = one_line(value["description"].as_str().unwrap_or_default());
        let needed = if required(key) { " (needed)" } else { "" };
        writeln!(page, "| `{key}`{needed} | {} | {about} |", kind(value, definitions))
            .expect("writing to memory does not fail");
    }
}

/// What may stand there, in words.
fn kind(schema: &Value, definitions: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap_or_default();
        let is_table = definitions[name].get("properties").is_some();
        return if is_table { spoken(name) } else { kind(&definitions[name], definitions) };
    }
    if let Some(choices) = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array()) {
        let mut words: Vec<String> = choices.iter().map(|choice| kind(choice, definitions)).collect();
        words.dedup();
        return words.join(" or ");
    }
    if let Some(word) = schema["const"].as_str() {
        return format!("`{word}`");
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words.iter().map(|word| format!("`{}`", word.as_str().unwrap_or_default())).collect();
        return words.join(" or ");
    }
    match &schema["type"] {
        Value::Array(_) => "text".to_owned(),
        Value::String(name) => match name.as_str() {
            "array" => format!("list of {}", kind(&schema["items"], definitions)),
            "object" => format!("map of {}", kind(&schema["additionalProperties"], definitions)),
            "integer" => "number".to_owned(),
            "boolean" => "`true` or `false`".to_owned(),
            other => other.to_owned(),
        },
        _ => "anything".to_owned(),
    }
}

/// `TenantsText` as `tenants`.
fn spoken(name: &str) -> String {
    let name = name.strip_suffix("Text").unwrap_or(name);
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// A value that says where it stands is written as the value alone.
impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<S: JsonSchema, L: JsonSchema> JsonSchema for Either<S, L> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}_or_{}", S::schema_name(), L::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (short, long) = (generator.subschema_for::<S>(), generator.subschema_for::<L>());
        json_schema!({"anyOf": [short, long]})
    }
}

impl<V: JsonSchema> JsonSchema for Entries<V> {
    fn schema_name() -> Cow<'static, str> {
        format!("Entries_of_{}", V::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<V>();
        json_schema!({"type": "object", "additionalProperties": value})
    }
}

impl JsonSchema for Content {
    fn schema_name() -> Cow<'static, str> {
        "Content".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({})
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::node::{self, Kind, Node, Word};
    use crate::problem::Problems;
    use crate::source::Sources;

    const WRITTEN: &str = include_str!("../../../reports/schema/scenario.schema.json");

    fn tree(text: &str) -> Value {
        let sources = Sources::single(text, "");
        json_of(&node::read(&Problems::of(&sources), 0, &mut 0).unwrap())
    }

    fn json_of(node: &Node) -> Value {
        match (&node.kind, node.word()) {
            (Kind::List(items), _) => items.iter().map(json_of).collect(),
            (Kind::Map(entries), _) => {
                entries.iter().map(|(key, value)| (key.written().to_owned(), json_of(value))).collect()
            }
            (_, Some(Word::Bool(value))) => value.into(),
            (_, Some(Word::Unsigned(value))) => value.into(),
            (_, Some(Word::Signed(value))) => value.into(),
            (_, Some(Word::Float(value))) => value.into(),
            (_, Some(Word::Text(text) | Word::Huge(text))) => text.into(),
            (_, Some(Word::Null) | None) => Value::Null,
        }
    }

    /// What is wrong with a value, by the keywords that our schema uses; any other keyword fails the test.
    fn errors(schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let root = self::schema();
        let mut wrong = vec![];
        check(&root, schema, value, at, &mut wrong);
        wrong
    }

    fn check(root: &Value, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
        let none = Map::new();
        let fits = |schema: &Value| {
            let mut inner = vec![];
            check(root, schema, value, at, &mut inner);
            inner.is_empty()
        };
        for (keyword, rule) in schema.as_object().unwrap_or(&none) {
            let holds = match keyword.as_str() {
                "$schema" | "$defs" | "title" | "description" => true,
                "$ref" => fits(&root["$defs"][rule.as_str().unwrap().rsplit('/').next().unwrap()]),
                "type" => types(rule).iter().any(|name| is(value, name)),
                "anyOf" | "oneOf" => rule.as_array().unwrap().iter().any(fits),
                "enum" => rule.as_array().unwrap().contains(value),
                "const" => rule == value,
                "minimum" => value.as_f64().is_none_or(|value| value >= rule.as_f64().unwrap()),
                "maximum" => value.as_f64().is_none_or(|value| value <= rule.as_f64().unwrap()),
                "required" => rule.as_array().unwrap().iter().all(|key| value.get(key.as_str().unwrap()).is_some()),
                "items" => {
                    let items = value.as_array().into_iter().flatten().enumerate();
                    items.for_each(|(n, item)| check(root, rule, item, &format!("{at}[{n}]"), wrong));
                    true
                }
                "properties" | "additionalProperties" => {
                    check_keys(root, schema, value, at, wrong, keyword);
                    true
                }
                other => panic!("the schema uses `{other}`, which this test does not know"),
            };
            if !holds {
                wrong.push(format!("{at}: {keyword}"));
            }
        }
    }

    fn check_keys(root: &Value, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>, keyword: &str) {
        for (key, value) in value.as_object().into_iter().flatten() {
            let at = format!("{at}.{key}");
            match (schema["properties"].get(key), keyword) {
                (Some(rule), "properties") => check(root, rule, value, &at, wrong),
                (None, "additionalProperties") if schema["additionalProperties"] == json!(false) => {
                    wrong.push(format!("{at} is unknown"));
                }
                (None, "additionalProperties") => check(root, &schema["additionalProperties"], value, &at, wrong),
                _ => {}
            }
        }
    }

    fn types(rule: &Value) -> Vec<&str> {
        rule.as_array()
            .map_or_else(|| vec![rule.as_str().unwrap()], |all| all.iter().filter_map(Value::as_str).collect())
    }

    fn is(value: &Value, name: &str) -> bool {
        match name {
            "string" => value.is_string(),
            "number" => value.is_number(),
            "integer" => value.is_u64() || value.is_i64(),
            "boolean" => value.is_boolean(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            _ => false,
        }
    }

    fn scenarios(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                scenarios(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                found.push(path);
            }
        }
    }

    #[test]
    fn the_schema_on_disk_is_that_of_the_types() {
        let written: Value = serde_json::from_str(WRITTEN).unwrap();
        let how = "write it anew: cargo run -- schema scenario > reports/schema/scenario.schema.json";
        assert!(written == schema(), "{how}");
    }

    #[test]
    fn every_scenario_that_is_shipped_or_tested_follows_the_schema() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut found = vec![];
        for folder in ["scenarios", "harness/plan/tests/scenarios", "harness/cli/tests/services"] {
            scenarios(&root.join(folder), &mut found);
        }
        assert!(found.len() > 10, "{found:?}");
        for path in found {
            let mut value = tree(&std::fs::read_to_string(&path).unwrap());
            // Parts of scenarios, which others include, have neither.
            for (key, usual) in [("coalmine", json!(1)), ("name", json!("part"))] {
                value.as_object_mut().unwrap().entry(key).or_insert(usual);
            }
            assert_eq!(errors(&schema(), &value, "$"), Vec::<String>::new(), "{}", path.display());
        }
    }

    #[test]
    fn misspelt_keys_and_wrong_types_do_not_follow_the_schema() {
        let good = include_str!("../tests/scenarios/notes.yaml");
        let wrong = [("tenants: 8", "tenant: 8"), ("tenants: 8", "tenants: many"), ("may_see: user", "may_see: users")];
        for (this, that) in wrong {
            assert!(!errors(&schema(), &tree(&good.replace(this, that)), "$").is_empty(), "{that}");
        }
    }

    #[test]
    fn every_key_is_described() {
        let schema = schema();
        let definitions = schema["$defs"].as_object().unwrap().values().chain([&schema]);
        for (key, value) in definitions.filter_map(|it| it["properties"].as_object()).flatten() {
            assert!(value["description"].as_str().is_some_and(|about| !about.is_empty()), "`{key}` says nothing");
        }
    }
}
