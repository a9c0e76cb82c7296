//! The page that explains the language to its users: every example on it is a good one, and its reference is that of the types.

use std::collections::BTreeMap;
use std::path::Path;

use coalmine_core::Seed;
use coalmine_plan::{Overrides, Scenario, plan, reference};

const PAGE: &str = include_str!("../../../scenarios/README.md");
/// Below this line stands what `coalmine schema --markdown` prints.
const GENERATED: &str = "<!-- From here on: coalmine schema --markdown -->\n";

/// What the fragments on the page are put into. Their keys take the places of those that stand here.
const FRAME: [(&str, &str); 6] = [
    ("coalmine", "coalmine: 1\n"),
    ("name", "name: frame\n"),
    ("target", "target: {url: http://127.0.0.1:8080}\n"),
    ("canaries", "canaries: {text: text, other: text}\n"),
    ("auth", "auth: {send: {headers: {x-user: \"{{user.name}}\"}}}\n"),
    ("flows", "flows:\n  frame:\n    steps:\n      - {id: write, post: /x, json: {text: \"{{canary.text}}\"}}\n"),
];

/// A fenced block of the page.
struct Block {
    /// What stands behind the fence, such as `yaml steps`.
    says: &'static str,
    text: String,
    /// Line of the page, from 1.
    line: usize,
}

fn blocks() -> Vec<Block> {
    let mut found: Vec<Block> = vec![];
    let mut is_open = false;
    for (number, line) in PAGE.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(_) if is_open => is_open = false,
            Some(says) => {
                is_open = true;
                found.push(Block { says, text: String::new(), line: number + 1 });
            }
            None if is_open => {
                let block = found.last_mut().expect("a fence has opened it");
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {}
        }
    }
    found
}

fn is_file(block: &Block) -> bool {
    block.says.split(' ').nth(1).is_some_and(|word| word.contains('.'))
}

/// The whole scenario that a block is, or is a part of. None for what is no scenario.
fn scenario_of(block: &Block) -> Option<String> {
    let keys: Vec<&str> = block.text.lines().filter_map(|line| Some(line.split_once(':')?.0)).collect();
    let frame = |without: &dyn Fn(&str) -> bool| -> String {
        FRAME.iter().filter(|(key, _)| !without(key)).map(|(_, text)| *text).collect()
    };
    match block.says {
        "yaml" => Some(block.text.clone()),
        "yaml part" if keys.contains(&"include") => Some(frame(&|key| key == "auth") + &block.text),
        "yaml part" => Some(frame(&|key| keys.contains(&key)) + &block.text),
        "yaml steps" => {
            let steps = block.text.replace('\n', "\n      ");
            Some(frame(&|key| key == "flows") + "flows:\n  frame:\n    steps:\n      " + &steps)
        }
        _ if is_file(block) => None,
        says => {
            panic!("line {} of the page: a block is yaml, yaml part, yaml steps or a file, not `{says}`", block.line)
        }
    }
}

#[test]
fn every_example_on_the_page_reads_and_plans_with_each_of_its_profiles() {
    let blocks = blocks();
    let files: BTreeMap<&str, &str> = blocks
        .iter()
        .filter(|block| is_file(block))
        .filter_map(|block| Some((block.says.split(' ').nth(1)?, block.text.as_str())))
        .collect();
    let examples: Vec<(String, String)> =
        blocks.iter().filter_map(|it| Some((format!("README.md:{}", it.line), scenario_of(it)?))).collect();
    assert!(examples.len() > 20, "the page has {} examples", examples.len());
    for (place, text) in &examples {
        let mut hand_out = |path: &str| files.get(path).map(ToString::to_string).ok_or(format!("no block `{path}`"));
        let mut read = |profile: Option<&str>| {
            Scenario::parse_with(text, place, profile, &mut hand_out).unwrap_or_else(|errors| panic!("{errors}"))
        };
        let whole = read(None);
        let profiles: Vec<Scenario> = whole.profiles().map(|name| read(Some(name))).collect();
        for scenario in profiles.iter().chain([&whole]) {
            plan(scenario, Seed(1), 0, &Overrides::default()).unwrap_or_else(|error| panic!("{place}: {error}"));
        }
    }
}

#[test]
fn every_whole_example_has_a_canary_and_a_control() {
    for block in blocks().iter().filter(|block| block.says == "yaml") {
        for needed in ["canaries:", "{{canary.", "sees: "] {
            let place = format!("line {} of the page", block.line);
            assert!(block.text.contains(needed), "{place} has no `{needed}`");
        }
    }
}

#[test]
fn the_reference_on_the_page_is_that_of_the_types() {
    let (by_hand, written) = PAGE.split_once(GENERATED).expect("a line says where the generated part begins");
    if written.trim() != reference().trim() {
        let anew = Path::new(env!("CARGO_TARGET_TMPDIR")).join("README.md");
        std::fs::write(&anew, format!("{by_hand}{GENERATED}\n{}", reference())).expect("the folder can be written to");
        panic!("the page is not that of the types; as it should be, it stands in {}", anew.display());
    }
}
