//! Each format of a pass, a leak and an inconclusive run, as they were reviewed.

mod sample;

use coalmine_core::Report;
use coalmine_core::verdict::Pattern;
use coalmine_report::{Style, json, junit, models_json, models_junit, models_terminal, terminal};
use sample::{inconclusive, leak, models, pass, regressed};

const PLAIN: Style = Style { colour: false, width: 120 };

#[test]
fn a_pass() {
    insta::assert_snapshot!("pass_terminal", terminal(&pass(), PLAIN));
    insta::assert_snapshot!("pass_json", json(&pass()));
    insta::assert_snapshot!("pass_junit", junit(&pass()));
}

#[test]
fn a_leak() {
    insta::assert_snapshot!("leak_terminal", terminal(&leak(), PLAIN));
    insta::assert_snapshot!("leak_json", json(&leak()));
    insta::assert_snapshot!("leak_junit", junit(&leak()));
}

#[test]
fn an_inconclusive_run() {
    insta::assert_snapshot!("inconclusive_terminal", terminal(&inconclusive(), PLAIN));
    insta::assert_snapshot!("inconclusive_json", json(&inconclusive()));
    insta::assert_snapshot!("inconclusive_junit", junit(&inconclusive()));
}

#[test]
fn a_leak_of_before_that_came_back() {
    insta::assert_snapshot!("regressed_terminal", terminal(&regressed(), PLAIN));
    insta::assert_snapshot!("regressed_junit", junit(&regressed()));
}

#[test]
fn diagnosis_narrows_the_patterns_that_evidence_names() {
    let patterns = leak().verdict.findings.into_iter().map(|finding| finding.patterns);
    let patterns: Vec<_> = patterns.collect();
    assert_eq!(patterns, [vec![Pattern::Cache, Pattern::Flight], vec![], vec![Pattern::Stream, Pattern::Router]]);
}

#[test]
fn what_came_of_models() {
    insta::assert_snapshot!("models_terminal", models_terminal(&models(), false));
    insta::assert_snapshot!("models_json", models_json(&models()));
    insta::assert_snapshot!("models_junit", models_junit(&models()));
}

#[test]
fn no_finding_is_without_its_failure() {
    let mut report = leak();
    let mut off = leak();
    report.verdict.coverage.operations.clear();
    off.verdict.oracles.clear();
    for (report, finding) in [&report, &off]
        .into_iter()
        .flat_map(|report| report.verdict.findings.iter().map(move |finding| (report, finding)))
    {
        let xml = junit(report);
        assert!(
            xml.contains(&format!("<failure message=\"{}\" type=\"{}\">", finding.summary, finding.oracle)),
            "{xml}"
        );
    }
}

#[test]
fn nothing_that_commands_a_terminal_gets_through() {
    for report in [pass(), leak(), inconclusive(), regressed()] {
        for text in [terminal(&report, PLAIN), json(&report), junit(&report)] {
            let hidden = text.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
            assert_eq!(hidden, None);
        }
    }
}

#[test]
fn colour_changes_nothing_but_colour() {
    let coloured = terminal(&leak(), Style { colour: true, ..PLAIN });
    assert!(coloured.contains("\u{1b}["));
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    assert_eq!(plain + rest, terminal(&leak(), PLAIN));
}

#[test]
fn lines_keep_within_the_width_and_the_way_back_stays_whole() {
    let page = terminal(&leak(), Style { colour: false, width: 60 });
    let too_long = |line: &&str| {
        line.chars().count() > 60
            && !line.trim_start().starts_with("coalmine replay")
            && !line.contains("coalmine gate")
    };
    assert_eq!(page.lines().find(too_long), None, "{page}");
    assert!(page.contains("   Reproduce coalmine gate scenarios/notes.yaml --seed 9c3f1e\n"));
}

#[test]
fn json_reads_back_as_the_same_report() {
    for report in [pass(), leak(), inconclusive(), regressed()] {
        assert_eq!(serde_json::from_str::<Report>(&json(&report)).unwrap(), report);
    }
}
